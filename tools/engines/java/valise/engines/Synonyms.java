package valise.engines;

import java.io.IOException;
import java.io.StringReader;
import java.text.ParseException;
import java.util.List;
import java.util.function.Function;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.synonym.SolrSynonymParser;
import org.apache.lucene.analysis.synonym.SynonymFilter;
import org.apache.lucene.analysis.synonym.SynonymGraphFilter;
import org.apache.lucene.analysis.synonym.SynonymMap;
import org.apache.lucene.analysis.synonym.WordnetSynonymParser;
import org.apache.lucene.util.CharsRef;
import org.apache.lucene.util.CharsRefBuilder;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.IndexService.IndexCreationContext;
import org.elasticsearch.index.analysis.Analysis;
import org.elasticsearch.index.analysis.AnalysisMode;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.CustomAnalyzer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;

/** {@code synonym} and {@code synonym_graph}, from {@code synonyms} or {@code synonyms_path}. */
final class Synonyms implements TokenFilterFactory {
    private final String name;
    private final boolean graph;
    private final boolean expand;
    private final boolean lenient;
    private final boolean wordnet;
    private final AnalysisMode mode;
    private final String rules;

    Synonyms(String name, Environment env, Settings settings, boolean graph) {
        this.name = name;
        this.graph = graph;
        boolean updateable = settings.getAsBoolean("updateable", false);
        expand = settings.getAsBoolean("expand", true);
        lenient = settings.getAsBoolean("lenient", updateable);
        wordnet = "wordnet".equalsIgnoreCase(settings.get("format", ""));
        mode = updateable ? AnalysisMode.SEARCH_TIME : AnalysisMode.ALL;
        List<String> lines = Analysis.getWordList(env, settings, "synonyms");
        if (lines == null) {
            throw new IllegalArgumentException("synonym requires either `synonyms` or `synonyms_path` to be configured");
        }
        rules = String.join("\n", lines);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public AnalysisMode getAnalysisMode() {
        return mode;
    }

    @Override
    public TokenStream create(TokenStream in) {
        throw new IllegalStateException("the synonym filter [" + name + "] needs its analysis chain");
    }

    /** The rules are analysed by what precedes the filter in its chain. */
    @Override
    public TokenFilterFactory getChainAwareTokenFilterFactory(
        IndexCreationContext context,
        TokenizerFactory tokenizer,
        List<CharFilterFactory> charFilters,
        List<TokenFilterFactory> previous,
        Function<String, TokenFilterFactory> all
    ) {
        Analyzer analyzer = new CustomAnalyzer(
            tokenizer,
            charFilters.toArray(new CharFilterFactory[0]),
            previous.stream().map(TokenFilterFactory::getSynonymFilter).toArray(TokenFilterFactory[]::new)
        );
        SynonymMap map = parse(analyzer);
        return new TokenFilterFactory() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public AnalysisMode getAnalysisMode() {
                return mode;
            }

            @Override
            public TokenFilterFactory getSynonymFilter() {
                return IDENTITY_FILTER;
            }

            @Override
            @SuppressWarnings("deprecation")
            public TokenStream create(TokenStream in) {
                if (map.fst == null) {
                    return in;
                }
                return graph ? new SynonymGraphFilter(in, map, false) : new SynonymFilter(in, map, false);
            }
        };
    }

    private SynonymMap parse(Analyzer analyzer) {
        SynonymMap.Parser parser = wordnet ? new Wordnet(analyzer) : new Solr(analyzer);
        try {
            parser.parse(new StringReader(rules));
            return parser.build();
        } catch (IOException | ParseException | IllegalArgumentException e) {
            throw new IllegalArgumentException("failed to build synonyms of [" + name + "]", e);
        }
    }

    /** With {@code lenient}, a term that the analysis leaves nothing of is empty, and then not added. */
    private CharsRef analyzed(Analysed step) throws IOException {
        try {
            return step.run();
        } catch (IllegalArgumentException e) {
            if (lenient) {
                return new CharsRef();
            }
            throw e;
        }
    }

    private boolean addable(CharsRef input, CharsRef output) {
        return lenient == false || (input.length > 0 && output.length > 0);
    }

    private interface Analysed {
        CharsRef run() throws IOException;
    }

    private final class Solr extends SolrSynonymParser {
        Solr(Analyzer analyzer) {
            super(true, expand, analyzer);
        }

        @Override
        public CharsRef analyze(String text, CharsRefBuilder reuse) throws IOException {
            return analyzed(() -> super.analyze(text, reuse));
        }

        @Override
        public void add(CharsRef input, CharsRef output, boolean includeOriginal) {
            if (addable(input, output)) {
                super.add(input, output, includeOriginal);
            }
        }
    }

    private final class Wordnet extends WordnetSynonymParser {
        Wordnet(Analyzer analyzer) {
            super(true, expand, analyzer);
        }

        @Override
        public CharsRef analyze(String text, CharsRefBuilder reuse) throws IOException {
            return analyzed(() -> super.analyze(text, reuse));
        }

        @Override
        public void add(CharsRef input, CharsRef output, boolean includeOriginal) {
            if (addable(input, output)) {
                super.add(input, output, includeOriginal);
            }
        }
    }
}
