package valise.engines;

import static java.util.Map.entry;
import static org.elasticsearch.plugins.AnalysisPlugin.requiresAnalysisSettings;

import java.io.IOException;
import java.io.Reader;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.charfilter.HTMLStripCharFilter;
import org.apache.lucene.analysis.charfilter.MappingCharFilter;
import org.apache.lucene.analysis.charfilter.NormalizeCharMap;
import org.apache.lucene.analysis.core.FlattenGraphFilter;
import org.apache.lucene.analysis.core.KeywordTokenizer;
import org.apache.lucene.analysis.core.UpperCaseFilter;
import org.apache.lucene.analysis.core.WhitespaceTokenizer;
import org.apache.lucene.analysis.en.PorterStemFilter;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.apache.lucene.analysis.fr.FrenchLightStemFilter;
import org.apache.lucene.analysis.fr.FrenchMinimalStemFilter;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.KeywordRepeatFilter;
import org.apache.lucene.analysis.miscellaneous.LengthFilter;
import org.apache.lucene.analysis.miscellaneous.PatternKeywordMarkerFilter;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.miscellaneous.SetKeywordMarkerFilter;
import org.apache.lucene.analysis.miscellaneous.StemmerOverrideFilter;
import org.apache.lucene.analysis.miscellaneous.TrimFilter;
import org.apache.lucene.analysis.miscellaneous.WordDelimiterGraphFilter;
import org.apache.lucene.analysis.miscellaneous.WordDelimiterIterator;
import org.apache.lucene.analysis.ngram.EdgeNGramTokenFilter;
import org.apache.lucene.analysis.pattern.PatternReplaceCharFilter;
import org.apache.lucene.analysis.pattern.PatternReplaceFilter;
import org.apache.lucene.analysis.snowball.SnowballFilter;
import org.apache.lucene.analysis.util.ElisionFilter;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.analysis.AbstractIndexAnalyzerProvider;
import org.elasticsearch.index.analysis.Analysis;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import valise.engines.Factories.Chars;
import valise.engines.Factories.NormalizingChars;
import valise.engines.Factories.NormalizingTokens;
import valise.engines.Factories.NotBeforeSynonyms;
import valise.engines.Factories.Tokens;

/**
 * The part of Elasticsearch's analysis-common module that Valise's tests need, under the same names
 * and with the same settings, so that one index definition works here and on the official server.
 * What is not here fails plainly; nothing here behaves differently on purpose.
 */
public final class AnalysisTestPlugin extends Plugin implements AnalysisPlugin {
    /** The stemmers whose name for Elasticsearch is Snowball's own; the others are below. */
    private static final Set<String> SNOWBALL = Set.of(
        "danish", "finnish", "french", "german", "hungarian", "italian", "norwegian", "portuguese",
        "russian", "spanish", "swedish", "turkish"
    );
    private static final Pattern MAPPING_RULE = Pattern.compile("(.*)\\s*=>\\s*(.*)\\s*$");

    private interface Build<T> {
        T build(String name, Environment env, Settings settings) throws IOException;
    }

    /** A component that also works by its bare name, without settings. */
    private static <T> AnalysisProvider<T> of(Build<T> build) {
        return (index, env, name, settings) -> build.build(name, env, settings);
    }

    private static <T> AnalysisProvider<T> needing(Build<T> build) {
        return requiresAnalysisSettings(of(build));
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.ofEntries(
            entry("asciifolding", of(AnalysisTestPlugin::asciiFolding)),
            entry("edge_ngram", of(AnalysisTestPlugin::edgeNgram)),
            entry("elision", needing(AnalysisTestPlugin::elision)),
            entry("flatten_graph", of((name, env, s) -> new Tokens(name, FlattenGraphFilter::new))),
            entry("keyword_marker", needing(AnalysisTestPlugin::keywordMarker)),
            entry("keyword_repeat", of((name, env, s) -> new Tokens(name, KeywordRepeatFilter::new))),
            entry("length", of(AnalysisTestPlugin::length)),
            entry("lowercase", of(AnalysisTestPlugin::lowercase)),
            entry("pattern_replace", needing(AnalysisTestPlugin::patternReplace)),
            entry("remove_duplicates", of((name, env, s) -> new Tokens(name, RemoveDuplicatesTokenFilter::new))),
            entry("stemmer", of(AnalysisTestPlugin::stemmer)),
            entry("stemmer_override", needing(AnalysisTestPlugin::stemmerOverride)),
            entry("synonym", needing((name, env, s) -> new Synonyms(name, env, s, false))),
            entry("synonym_graph", needing((name, env, s) -> new Synonyms(name, env, s, true))),
            entry("trim", of((name, env, s) -> new NormalizingTokens(name, TrimFilter::new))),
            entry("unique", of(AnalysisTestPlugin::unique)),
            entry("uppercase", of((name, env, s) -> new NormalizingTokens(name, UpperCaseFilter::new))),
            entry("word_delimiter_graph", of(AnalysisTestPlugin::wordDelimiterGraph))
        );
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return List.of(
            PreConfiguredTokenFilter.singleton("asciifolding", true, ASCIIFoldingFilter::new),
            PreConfiguredTokenFilter.singleton(
                "elision", true, in -> new ElisionFilter(in, FrenchAnalyzer.DEFAULT_ARTICLES)
            ),
            PreConfiguredTokenFilter.singleton("trim", true, TrimFilter::new),
            PreConfiguredTokenFilter.singleton("unique", false, in -> new UniqueTokens(in, false)),
            PreConfiguredTokenFilter.singleton("uppercase", true, UpperCaseFilter::new)
        );
    }

    @Override
    public Map<String, AnalysisProvider<CharFilterFactory>> getCharFilters() {
        return Map.of(
            "html_strip", of(AnalysisTestPlugin::htmlStrip),
            "mapping", needing(AnalysisTestPlugin::mapping),
            "pattern_replace", needing(AnalysisTestPlugin::patternReplaceChars)
        );
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of(
            "keyword",
            of((name, env, s) -> {
                int buffer = s.getAsInt("buffer_size", 256);
                return TokenizerFactory.newFactory(name, () -> new KeywordTokenizer(buffer));
            }),
            "whitespace",
            of((name, env, s) -> {
                int longest = s.getAsInt("max_token_length", 255);
                return TokenizerFactory.newFactory(
                    name, () -> new WhitespaceTokenizer(TokenStream.DEFAULT_TOKEN_ATTRIBUTE_FACTORY, longest)
                );
            })
        );
    }

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        return Map.of("french", of((name, env, settings) -> {
            FrenchAnalyzer french = new FrenchAnalyzer(
                Analysis.parseStopWords(env, settings, FrenchAnalyzer.getDefaultStopSet()),
                Analysis.parseStemExclusion(settings, CharArraySet.EMPTY_SET)
            );
            return new AbstractIndexAnalyzerProvider<FrenchAnalyzer>(name) {
                @Override
                public FrenchAnalyzer get() {
                    return french;
                }
            };
        }));
    }

    private static TokenFilterFactory asciiFolding(String name, Environment env, Settings settings) {
        boolean preserve = settings.getAsBoolean("preserve_original", false);
        UnaryOperator<TokenStream> single = ASCIIFoldingFilter::new;
        return preserve
            ? new NormalizingTokens(name, in -> new ASCIIFoldingFilter(in, true), single)
            : new NormalizingTokens(name, single);
    }

    private static TokenFilterFactory edgeNgram(String name, Environment env, Settings settings) {
        if ("front".equals(settings.get("side", "front")) == false) {
            throw unsupported("edge_ngram", "side", settings.get("side"));
        }
        int min = settings.getAsInt("min_gram", 1);
        int max = settings.getAsInt("max_gram", 2);
        boolean preserve = settings.getAsBoolean("preserve_original", false);
        return new NotBeforeSynonyms(name, in -> new EdgeNGramTokenFilter(in, min, max, preserve));
    }

    private static TokenFilterFactory elision(String name, Environment env, Settings settings) {
        CharArraySet articles = Analysis.parseArticles(env, settings);
        if (articles == null) {
            throw new IllegalArgumentException("elision filter requires [articles] or [articles_path] setting");
        }
        return new NormalizingTokens(name, in -> new ElisionFilter(in, articles));
    }

    private static TokenFilterFactory keywordMarker(String name, Environment env, Settings settings) {
        String pattern = settings.get("keywords_pattern");
        boolean ignoreCase = settings.getAsBoolean("ignore_case", false);
        Set<?> words = Analysis.getWordSet(env, settings, "keywords");
        if ((pattern == null) == (words == null)) {
            throw new IllegalArgumentException(
                "keyword filter requires one of `keywords`, `keywords_path` and `keywords_pattern`"
            );
        }
        if (pattern != null) {
            Pattern compiled = Pattern.compile(pattern);
            return new Tokens(name, in -> new PatternKeywordMarkerFilter(in, compiled));
        }
        CharArraySet keywords = new CharArraySet(words, ignoreCase);
        return new Tokens(name, in -> new SetKeywordMarkerFilter(in, keywords));
    }

    private static TokenFilterFactory length(String name, Environment env, Settings settings) {
        int min = settings.getAsInt("min", 0);
        int max = settings.getAsInt("max", Integer.MAX_VALUE);
        return new Tokens(name, in -> new LengthFilter(in, min, max));
    }

    private static TokenFilterFactory lowercase(String name, Environment env, Settings settings) {
        if (settings.get("language") != null) {
            throw unsupported("lowercase", "language", settings.get("language"));
        }
        return new NormalizingTokens(name, LowerCaseFilter::new);
    }

    private static TokenFilterFactory patternReplace(String name, Environment env, Settings settings) {
        Pattern pattern = pattern(name, settings);
        String replacement = settings.get("replacement", "");
        boolean all = settings.getAsBoolean("all", true);
        return new NormalizingTokens(name, in -> new PatternReplaceFilter(in, pattern, replacement, all));
    }

    private static TokenFilterFactory stemmer(String name, Environment env, Settings settings) {
        String language = settings.get("language", settings.get("name", "porter"));
        UnaryOperator<TokenStream> stem = switch (language) {
            case "light_french", "lightFrench" -> FrenchLightStemFilter::new;
            case "minimal_french", "minimalFrench" -> FrenchMinimalStemFilter::new;
            case "english", "porter" -> PorterStemFilter::new;
            case "porter2" -> in -> new SnowballFilter(in, "English");
            default -> {
                if (SNOWBALL.contains(language) == false) {
                    throw unsupported("stemmer", "language", language);
                }
                String stemmer = Character.toUpperCase(language.charAt(0)) + language.substring(1);
                yield in -> new SnowballFilter(in, stemmer);
            }
        };
        return new Tokens(name, stem);
    }

    private static TokenFilterFactory stemmerOverride(String name, Environment env, Settings settings)
        throws IOException {
        List<String> rules = Analysis.getWordList(env, settings, "rules");
        if (rules == null) {
            throw new IllegalArgumentException("stemmer override filter requires either `rules` or `rules_path`");
        }
        StemmerOverrideFilter.Builder builder = new StemmerOverrideFilter.Builder(false);
        for (String rule : rules) {
            String[] sides = rule.split("=>", -1);
            if (sides.length != 2 || sides[0].isBlank() || sides[1].isBlank() || sides[1].contains(",")) {
                throw new IllegalArgumentException("Invalid Keyword override Rule:" + rule);
            }
            for (String word : sides[0].split(",")) {
                builder.add(word.trim(), sides[1].trim());
            }
        }
        StemmerOverrideFilter.StemmerOverrideMap map = builder.build();
        return new Tokens(name, in -> new StemmerOverrideFilter(in, map));
    }

    private static TokenFilterFactory unique(String name, Environment env, Settings settings) {
        boolean samePosition = settings.getAsBoolean("only_on_same_position", false);
        return new Tokens(name, in -> new UniqueTokens(in, samePosition));
    }

    private static TokenFilterFactory wordDelimiterGraph(String name, Environment env, Settings settings) {
        int flags = flag(settings, "generate_word_parts", true, WordDelimiterGraphFilter.GENERATE_WORD_PARTS)
            | flag(settings, "generate_number_parts", true, WordDelimiterGraphFilter.GENERATE_NUMBER_PARTS)
            | flag(settings, "catenate_words", false, WordDelimiterGraphFilter.CATENATE_WORDS)
            | flag(settings, "catenate_numbers", false, WordDelimiterGraphFilter.CATENATE_NUMBERS)
            | flag(settings, "catenate_all", false, WordDelimiterGraphFilter.CATENATE_ALL)
            | flag(settings, "split_on_case_change", true, WordDelimiterGraphFilter.SPLIT_ON_CASE_CHANGE)
            | flag(settings, "preserve_original", false, WordDelimiterGraphFilter.PRESERVE_ORIGINAL)
            | flag(settings, "split_on_numerics", true, WordDelimiterGraphFilter.SPLIT_ON_NUMERICS)
            | flag(settings, "stem_english_possessive", true, WordDelimiterGraphFilter.STEM_ENGLISH_POSSESSIVE)
            | flag(settings, "ignore_keywords", false, WordDelimiterGraphFilter.IGNORE_KEYWORDS);
        if (settings.hasValue("type_table") || settings.hasValue("type_table_path")) {
            throw unsupported("word_delimiter_graph", "type_table", "…");
        }
        boolean adjust = settings.getAsBoolean("adjust_offsets", true);
        Set<?> words = Analysis.getWordSet(env, settings, "protected_words");
        CharArraySet kept = words == null ? null : CharArraySet.copy(words);
        byte[] types = WordDelimiterIterator.DEFAULT_WORD_DELIM_TABLE;
        return new NotBeforeSynonyms(name, in -> new WordDelimiterGraphFilter(in, adjust, types, flags, kept));
    }

    private static int flag(Settings settings, String key, boolean otherwise, int flag) {
        return settings.getAsBoolean(key, otherwise) ? flag : 0;
    }

    private static CharFilterFactory htmlStrip(String name, Environment env, Settings settings) {
        Set<String> escaped = new HashSet<>(settings.getAsList("escaped_tags"));
        return new Chars(name, in -> new HTMLStripCharFilter(in, escaped));
    }

    private static CharFilterFactory mapping(String name, Environment env, Settings settings) {
        List<String> rules = Analysis.getWordList(env, settings, "mappings");
        if (rules == null) {
            throw new IllegalArgumentException("mapping requires either `mappings` or `mappings_path`");
        }
        NormalizeCharMap.Builder builder = new NormalizeCharMap.Builder();
        Map<String, String> pairs = new TreeMap<>();
        for (String rule : rules) {
            Matcher matcher = MAPPING_RULE.matcher(rule);
            if (matcher.find() == false) {
                throw new IllegalArgumentException("Invalid Mapping Rule : [" + rule + "]");
            }
            pairs.put(unescape(matcher.group(1).trim()), unescape(matcher.group(2).trim()));
        }
        pairs.forEach(builder::add);
        NormalizeCharMap map = builder.build();
        return new NormalizingChars(name, in -> new MappingCharFilter(map, in));
    }

    private static CharFilterFactory patternReplaceChars(String name, Environment env, Settings settings) {
        Pattern pattern = pattern(name, settings);
        String replacement = settings.get("replacement", "");
        return new NormalizingChars(name, (Reader in) -> new PatternReplaceCharFilter(pattern, replacement, in));
    }

    private static Pattern pattern(String name, Settings settings) {
        String pattern = settings.get("pattern");
        if (pattern == null || pattern.isEmpty()) {
            throw new IllegalArgumentException("pattern is missing for [" + name + "] of type 'pattern_replace'");
        }
        return Regex.compile(pattern, settings.get("flags"));
    }

    /** The escapes of mapping rules: a backslash and one of {@code \ n t r b f}, or {@code uXXXX}. */
    private static String unescape(String text) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != '\\') {
                out.append(c);
                continue;
            }
            if (++i >= text.length()) {
                throw new IllegalArgumentException("Invalid escaped char in [" + text + "]");
            }
            char escaped = text.charAt(i);
            switch (escaped) {
                case '\\' -> out.append('\\');
                case 'n' -> out.append('\n');
                case 't' -> out.append('\t');
                case 'r' -> out.append('\r');
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'u' -> {
                    if (i + 4 >= text.length()) {
                        throw new IllegalArgumentException("Invalid escaped char in [" + text + "]");
                    }
                    out.append((char) Integer.parseInt(text.substring(i + 1, i + 5), 16));
                    i += 4;
                }
                default -> out.append(escaped);
            }
        }
        return out.toString();
    }

    private static IllegalArgumentException unsupported(String filter, String setting, String value) {
        return new IllegalArgumentException(
            "the test node's [" + filter + "] does not know [" + setting + "] = [" + value + "]"
        );
    }
}
