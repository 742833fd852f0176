"""What readers ask for: words, phrases, exclusions, filters, dates, the newest notes."""

SEARCHES = (
    "q=retraites",
    "q=%C3%A2ge+de+la+retraite",
    "q=assurance+maladie&country=MA",
    "q=%22s%C3%A9curit%C3%A9+sociale%22",
    "q=syndicats+salaire",
    "q=allocation+parentale&theme=protection_sociale",
    "q=h%C3%B4pital+infirmi%C3%A8res&theme=sante",
    "q=plateformes+-livreurs",
    "q=cotisation&post=berlin&post=rabat",
    "q=m%C3%A9dicaments+prix&country=US",
    "q=travailleurs+frontaliers&year=2023",
    "q=d%C3%A9pendance&from=2022-01-01&to=2023-12-31",
    "country=DE&country=IT",
    "theme=travail&sort=date",
    "sort=received",
    "q=Medicare",
    "q=vaccins&sort=date",
    "q=num%C3%A9ro000123",
    "q=ch%C3%B4mage+zoonoses",
    "q=soins+%C3%A0+domicile&size=50",
)
