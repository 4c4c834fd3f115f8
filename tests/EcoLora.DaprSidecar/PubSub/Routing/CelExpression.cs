namespace EcoLora.DaprSidecar;

/// <summary>A match expression that cannot be evaluated for an event: an absent member, a comparison of things that have no order.</summary>
internal sealed class CelException(string message) : Exception(message);

/// <summary>
/// The match expression of a routing rule: the part of the Common Expression Language that rules are written in. Operators, ?:, members, indexes, lists, has,
/// size, startsWith, endsWith, contains, matches, int, double and string; whatever else is refused when the rule is read.
/// </summary>
internal sealed class CelExpression
{
    private delegate object? Term(object? theEvent);

    private readonly Term _term;

    private CelExpression(string text, Term term) => (Text, _term) = (text, term);

    public string Text { get; }

    public static CelExpression Parse(string text)
    {
        try
        {
            return new(text, new Parser(CelTokens.Of(text)).Whole());
        }
        catch (FormatException error)
        {
            throw new FormatException($"match expression '{text}': {error.Message}", error);
        }
    }

    /// <summary>Whether an event matches; <see cref="CelException"/> where that cannot be said.</summary>
    public bool Matches(object? theEvent) =>
        _term(theEvent) is bool truth ? truth : throw new CelException($"the result of match expression {Text} was not a boolean");

    /// <summary>Recursive descent, an operator's precedence a method; the result is a tree of closures.</summary>
    private sealed class Parser(List<CelToken> tokens)
    {
        private int _at;

        private CelToken Next => tokens[_at];

        public Term Whole()
        {
            Term term = Conditional();
            return Next.Kind == CelKind.End ? term : throw Unexpected("an operator");
        }

        private Term Conditional()
        {
            Term condition = Or();
            if (!Take("?")) return condition;
            Term yes = Or();
            Expect(":");
            Term no = Conditional();
            return e => CelValue.Truth(condition(e)) ? yes(e) : no(e);
        }

        private Term Or()
        {
            Term left = And();
            while (Take("||"))
            {
                (Term a, Term b) = (left, And());
                left = e => Either(a, b, e, decisive: true);
            }
            return left;
        }

        private Term And()
        {
            Term left = Relation();
            while (Take("&&"))
            {
                (Term a, Term b) = (left, Relation());
                left = e => Either(a, b, e, decisive: false);
            }
            return left;
        }

        private Term Relation()
        {
            Term left = Sum();
            while (Next.Kind == CelKind.Sign && Next.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" or "in")
            {
                string sign = tokens[_at++].Text;
                (Term a, Term b) = (left, Sum());
                left = e => CelValue.Related(sign, a(e), b(e));
            }
            return left;
        }

        private Term Sum()
        {
            Term left = Product();
            while (Next.Kind == CelKind.Sign && Next.Text is "+" or "-")
            {
                string sign = tokens[_at++].Text;
                (Term a, Term b) = (left, Product());
                left = e => CelValue.Computed(sign, a(e), b(e));
            }
            return left;
        }

        private Term Product()
        {
            Term left = Unary();
            while (Next.Kind == CelKind.Sign && Next.Text is "*" or "/" or "%")
            {
                string sign = tokens[_at++].Text;
                (Term a, Term b) = (left, Unary());
                left = e => CelValue.Computed(sign, a(e), b(e));
            }
            return left;
        }

        private Term Unary()
        {
            if (Take("!"))
            {
                Term denied = Unary();
                return e => !CelValue.Truth(denied(e));
            }
            if (Take("-"))
            {
                Term negated = Unary();
                return e => CelValue.Computed("-", 0L, negated(e));
            }
            return Member();
        }

        private Term Member()
        {
            Term left = Primary();
            while (true)
            {
                Term of = left;
                if (Take("["))
                {
                    Term index = Conditional();
                    Expect("]");
                    left = e => CelValue.Item(of(e), index(e));
                }
                else if (Take("."))
                {
                    string name = Name("a member");
                    if (!Take("("))
                    {
                        left = e => CelValue.Item(of(e), name);
                        continue;
                    }
                    Term[] arguments = Arguments(")");
                    if (!CelValue.IsMethod(name, arguments.Length)) throw Unknown($"{name}() of {arguments.Length} arguments");
                    left = e => CelValue.Call(name, of(e), arguments.Length == 0 ? null : arguments[0](e));
                }
                else
                {
                    return left;
                }
            }
        }

        private Term Primary()
        {
            CelToken token = tokens[_at++];
            if (token.Kind == CelKind.Literal) return _ => token.Value;
            if (token is { Kind: CelKind.Sign, Text: "(" })
            {
                Term inner = Conditional();
                Expect(")");
                return inner;
            }
            if (token is { Kind: CelKind.Sign, Text: "[" })
            {
                Term[] items = Arguments("]");
                return e => items.Select(item => item(e)).ToList();
            }
            _at--;
            string name = Name("a value");
            if (!Take("(")) return e => name == "event" ? e : throw new CelException($"no such attribute: {name}");
            if (name == "has") return Has();
            Term[] arguments = Arguments(")");
            if (arguments.Length != 1 || !CelValue.IsFunction(name)) throw Unknown($"{name}() of {arguments.Length} arguments");
            return e => CelValue.Call(name, arguments[0](e), null);
        }

        /// <summary>has(a.b): whether a, which must be there, has b.</summary>
        private Term Has()
        {
            int start = _at;
            Member();
            int end = _at;
            Expect(")");
            if (end - start < 3 || tokens[end - 1].Kind != CelKind.Name || tokens[end - 2].Text != ".")
                throw new FormatException("expected a member in has(), as in has(event.data)");
            // Read again as what stands before the last member.
            Term of = new Parser([.. tokens[start..(end - 2)], new(CelKind.End, "the end")]).Member();
            string name = tokens[end - 1].Text;
            return e => CelValue.Has(of(e), name);
        }

        private Term[] Arguments(string close)
        {
            List<Term> arguments = [];
            if (Take(close)) return [];
            do arguments.Add(Conditional());
            while (Take(","));
            Expect(close);
            return [.. arguments];
        }

        private string Name(string expected) => Next.Kind == CelKind.Name ? tokens[_at++].Text : throw Unexpected(expected);

        private bool Take(string sign)
        {
            if (Next.Kind != CelKind.Sign || Next.Text != sign) return false;
            _at++;
            return true;
        }

        private void Expect(string sign)
        {
            if (!Take(sign)) throw Unexpected(sign);
        }

        private FormatException Unexpected(string expected) => new($"expected {expected}, found {Next.Text}");

        private static FormatException Unknown(string found) => new($"expected a function that this tool knows, found {found}");

        /// <summary>a || b, a &amp;&amp; b: the side that decides alone does so even where the other cannot be evaluated.</summary>
        private static object Either(Term a, Term b, object? theEvent, bool decisive)
        {
            try
            {
                if (CelValue.Truth(a(theEvent)) == decisive) return decisive;
            }
            catch (CelException)
            {
                if (CelValue.Truth(b(theEvent)) == decisive) return decisive;
                throw;
            }
            return CelValue.Truth(b(theEvent));
        }
    }
}
