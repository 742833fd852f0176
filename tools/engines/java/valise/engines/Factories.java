package valise.engines;

import java.io.Reader;
import java.util.function.UnaryOperator;
import org.apache.lucene.analysis.TokenStream;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.NormalizingCharFilterFactory;
import org.elasticsearch.index.analysis.NormalizingTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;

/** Factories made of a name and a function. The normalizing ones may be used in normalizers. */
final class Factories {
    private Factories() {}

    record Tokens(String name, UnaryOperator<TokenStream> wrap) implements TokenFilterFactory {
        @Override
        public TokenStream create(TokenStream in) {
            return wrap.apply(in);
        }
    }

    /** {@code single} gives one token for one token: for normalizers and for synonym rules. */
    record NormalizingTokens(String name, UnaryOperator<TokenStream> wrap, UnaryOperator<TokenStream> single)
        implements
            NormalizingTokenFilterFactory {
        NormalizingTokens(String name, UnaryOperator<TokenStream> wrap) {
            this(name, wrap, wrap);
        }

        @Override
        public TokenStream create(TokenStream in) {
            return wrap.apply(in);
        }

        @Override
        public TokenStream normalize(TokenStream in) {
            return single.apply(in);
        }

        @Override
        public TokenFilterFactory getSynonymFilter() {
            return wrap == single ? this : new NormalizingTokens(name, single);
        }
    }

    /** A filter that makes several tokens of one, which Elasticsearch refuses before synonyms. */
    record NotBeforeSynonyms(String name, UnaryOperator<TokenStream> wrap) implements TokenFilterFactory {
        @Override
        public TokenStream create(TokenStream in) {
            return wrap.apply(in);
        }

        @Override
        public TokenFilterFactory getSynonymFilter() {
            throw new IllegalArgumentException("Token filter [" + name + "] cannot be used to parse synonyms");
        }
    }

    record Chars(String name, UnaryOperator<Reader> wrap) implements CharFilterFactory {
        @Override
        public Reader create(Reader in) {
            return wrap.apply(in);
        }
    }

    record NormalizingChars(String name, UnaryOperator<Reader> wrap) implements NormalizingCharFilterFactory {
        @Override
        public Reader create(Reader in) {
            return wrap.apply(in);
        }
    }
}
