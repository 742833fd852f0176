"""The command's own frame in French: help, wrong use, questions.

typer writes its frame in English and offers no catalogue of it: help is written here from what it
knows of each parameter, and its errors are said anew by their kind.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from pydantic import ValidationError
from typer import core

from services.cli.terminal import say, say_text
from services.runtime.french import detail

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Formatter = Any
_Error = Any
"""typer's own classes for these are private to it."""

TYPES = {
    "str": "texte",
    "int": "nombre",
    "float": "nombre",
    "int range": "nombre",
    "float range": "nombre",
    "path": "chemin",
    "file": "fichier",
    "directory": "dossier",
    "UUID": "identifiant",
    "%Y-%m-%d|%Y-%m-%dT%H:%M": "AAAA-MM-JJ[THH:MM]",
    "datetime": "date",
}
"""The kinds of values as help names them."""

_SAID = (
    (re.compile(r"Missing command\."), "la commande manque"),
    (
        re.compile(r"No such command '(.*)'\. Did you mean '(.*)'\?", re.S),
        r"commande inconnue : \1 (proches : \2)",
    ),
    (re.compile(r"No such command '(.*)'\.", re.S), r"commande inconnue : \1"),
    (re.compile(r"No such option: (.*)", re.S), r"option inconnue : \1"),
    (re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.S), r"argument en trop : \1"),
    (re.compile(r"Option '(.*)' does not take a value\."), r"l'option \1 ne prend pas de valeur"),
    (re.compile(r"Option '(.*)' requires an argument\."), r"l'option \1 demande une valeur"),
    (re.compile(r"Option '(.*)' requires (\d+) arguments\."), r"l'option \1 demande \2 valeurs"),
    (re.compile(r"Argument '(.*)' takes (\d+) values\."), r"l'argument \1 demande \2 valeurs"),
)
"""What typer says of wrong use, whole."""

_HELP = (
    (re.compile(r"\bdefault: "), "par défaut : "),
    (re.compile(r"\benv var: "), "variable : "),
    (re.compile(r"\brequired(?=\]$)"), "obligatoire"),
    (re.compile(r"(?<=[\[ ])x(?=[<>]=?\d)|(?<=\d<=)x\b"), "valeur"),
)
"""What typer adds to the help of a parameter, between brackets at its end."""

_EXTRA = re.compile(r"\[[^\[\]]*\]$")


def _usage(command: Any, context: typer.Context, formatter: _Formatter) -> None:
    pieces = " ".join(command.collect_usage_pieces(context))
    formatter.write_usage(context.command_path, pieces, prefix="Utilisation : ")


def _options(command: Any, context: typer.Context, formatter: _Formatter) -> None:
    """Write the arguments and options, each with its help."""
    rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            rows[parameter.param_type_name].append(_row(parameter, *record))
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        if rows[kind]:
            with formatter.section(f"{title} "):
                formatter.write_dl(rows[kind])


def _row(parameter: Any, name: str, text: str) -> tuple[str, str]:
    """A parameter's name and help in French."""
    if parameter.name == "help":
        return name, "Montre cette aide."
    name = re.sub(r"<(list\[)?([^<>\]]*)\]?>", lambda kind: f"<{_type(kind[2])}>", name)
    if parameter.param_type_name == "argument" and "|" not in name:
        name = name.partition(" <")[0]
    return name, _EXTRA.sub(_extra, text)


def _type(name: str) -> str:
    return TYPES.get(name, name)


def _extra(found: re.Match[str]) -> str:
    text = found[0]
    for pattern, french in _HELP:
        text = pattern.sub(french, text)
    return text


class Command(core.TyperCommand):
    """A command whose help is French throughout."""

    def format_usage(self, ctx: Any, formatter: _Formatter) -> None:
        """Write the line of usage."""
        _usage(self, ctx, formatter)

    def format_options(self, ctx: Any, formatter: _Formatter) -> None:
        """Write the arguments and options."""
        _options(self, ctx, formatter)


class Group(core.TyperGroup):
    """A group of commands whose help is French throughout."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subcommand_metavar = "COMMANDE [ARGUMENTS]..."

    def format_usage(self, ctx: Any, formatter: _Formatter) -> None:
        """Write the line of usage."""
        _usage(self, ctx, formatter)

    def format_options(self, ctx: Any, formatter: _Formatter) -> None:
        """Write the options, then the commands."""
        _options(self, ctx, formatter)
        shown = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        limit = formatter.width - 6 - max((len(name) for name, _ in shown), default=0)
        rows = [(name, each.get_short_help_str(limit)) for name, each in shown if each]
        if rows:
            with formatter.section("Commandes "):
                formatter.write_dl(rows)


class App(typer.Typer):
    """A typer application, or a part of one, of French commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=Group, rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_Function], _Function]:
        """Take a function as a command of that name."""
        return super().command(name, cls=Command, **settings)


def run(app: typer.Typer) -> int:
    """Run the command; its exit code, with what is wrong said in French on standard error."""
    try:
        code = app(prog_name="valise", standalone_mode=False)
    except typer.Abort:
        say("Abandon.", err=True)
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return wrong_use(error)
    return code if isinstance(code, int) else 0


def wrong_use(error: _Error) -> int:
    """Say an error of typer's in French; its exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":
        say_text(error.format_message(), err=True)
        return int(error.exit_code)
    context = getattr(error, "ctx", None)
    if context is not None:
        say_text(context.get_usage(), err=True)
        say(f"Voir l'aide : {context.command_path} {context.help_option_names[0]}", "", err=True)
    say(f"Erreur : {message(error)}", err=True)
    return int(error.exit_code)


def message(error: _Error) -> str:
    """What an error of typer's says, in French; our own errors as they are."""
    kind = type(error).__name__
    if kind == "MissingParameter":
        what = "argument" if error.param.param_type_name == "argument" else "option"
        return f"{what} obligatoire : {_named(error.param)}"
    text = str(error.message)
    for pattern, french in _SAID:
        if found := pattern.fullmatch(text):
            text = found.expand(french).replace("', '", ", ")
            break
    if kind == "NoSuchOption" and error.possibilities:
        return f"{text} (proches : {', '.join(sorted(error.possibilities))})"
    if kind != "BadParameter" or error.param is None:
        return text
    return f"valeur non valide pour {_named(error.param)} : {_value(error, text)}"


def _named(parameter: Any) -> str:
    """A parameter as its user writes it."""
    if parameter.param_type_name == "argument":
        return str(parameter.display_name_raw)
    names = " / ".join((*parameter.opts, *parameter.secondary_opts))
    return f"{names} ({parameter.envvar})" if parameter.envvar else names


def _value(error: _Error, text: str) -> str:
    """What is wrong with a parameter's value."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return text
    parameter = error.param
    kind = parameter.type_descriptor
    first = cause.errors(include_url=False)[0]
    given = first.get("input")
    if kind.is_choice:
        return f"« {given} » ; valeurs admises : {', '.join(map(str, kind.choices))}"
    if kind.is_datetime:
        return f"« {given} » ; une date est attendue (AAAA-MM-JJ ou AAAA-MM-JJTHH:MM)"
    return f"« {given} » ; {detail(first['type'], first.get('ctx') or {})}"


def confirmed(question: str, yes: Sequence[str] = ("o", "oui", "y", "yes")) -> bool:
    """Ask a question of yes or no on the terminal: whether the answer is yes.

    Nothing typed is no. Raises typer.Abort where there is nobody to answer.
    """
    while True:
        say(f"{question} [o/N]", err=True)
        try:
            typed = input().strip().casefold()
        except (EOFError, KeyboardInterrupt):
            raise typer.Abort from None
        if typed in yes:
            return True
        if typed in ("", "n", "non", "no"):
            return False
        say("Répondre par « oui » ou « non ».", err=True)
