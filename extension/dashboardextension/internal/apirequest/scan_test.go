// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package apirequest

import (
	"net/url"
	"regexp/syntax"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/regexpcost"
)

var syntaxLimits = Syntax{Depth: 64, Tokens: 4096, Strings: 256, Regexp: 32 << 10}

// One request with any of these took seconds to minutes, and up to gigabytes.
func TestCheck_HostileSyntax(t *testing.T) {
	t.Parallel()
	limits := limits
	limits.QueryBytes = 64 << 10
	for name, c := range map[string]struct{ text, refused string }{
		"parentheses":            {strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000), "brackets are more than 64 deep"},
		"functions":              {strings.Repeat("abs(", 65) + "a" + strings.Repeat(")", 65), "brackets are more than 64 deep"},
		"signs":                  {strings.Repeat("-", 60_000) + "1", "more than 4096 words and operators"},
		"operators":              {strings.Repeat("1^", 30_000) + "1", "more than 4096 words and operators"},
		"matchers":               {"a{" + strings.Repeat(`b="c",`, 257) + "}", "more than 256 label matchers"},
		"selectors":              {strings.Repeat("a+", 5000) + "a", "more than 4096 words and operators"},
		"classes":                {`a{b=~"` + strings.Repeat(`\\pL`, 15_000) + `"}`, "would compile to more than 32768 instructions"},
		"negated classes":        {`a{b=~'` + strings.Repeat(`[^1]`, 15_000) + `'}`, "would compile to more than 32768 instructions"},
		"no digits":              {"a{b=~`" + strings.Repeat(`\D`, 30_000) + "`}", "would compile to more than 32768 instructions"},
		"case folding":           {"a{b=~`(?i)" + strings.Repeat(`[B-\x{1e943}]`, 4000) + "`}", "would compile to more than 32768 instructions"},
		"repetitions":            {`a{b=~"` + strings.Repeat(`x{1000}`, 8000) + `"}`, "would compile to more than 32768 instructions"},
		"nested repetitions":     {`a{b!~"((x{10}){10}){400}"}`, "would compile to more than 32768 instructions"},
		"by a function":          {`label_replace(a, "b", "$1", "c", "` + strings.Repeat(`\\pL`, 15_000) + `")`, "would compile to more than 32768 instructions"},
		"many regexps":           {"a{" + strings.Repeat("b=~`"+strings.Repeat("x", 200)+"`,", 200) + "}", "would compile to more than 32768 instructions"},
		"after a comment":        {"a # it's\n{b=~`x{1000}{1000}`}", "would compile to more than 32768 instructions"},
		"a quote within a class": {`a{b=~"[\"](x{1000}){1000}"}`, "would compile to more than 32768 instructions"},
		"quoted by \\Q":          {`a{b=~"\\Q[\\E(x{1000}){1000}]"}`, "would compile to more than 32768 instructions"},
		"an open string":         {`a{b=~"(x{1000}){1000}`, "would compile to more than 32768 instructions"},

		"2,000 tenants": {`sum by (tenant_id) (rate(a{tenant_id=~"` + tenants(2000) + `"}[5m]))`, ""},
		"a class":       {`a{b=~"[^/]{1,63}/\\d{1,5}|(?i:eu|us)-.*", c!~"(x|y)?z+"}`, ""},
		"brackets in it": {`a{b="((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("}` +
			" # ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((", ""},
		"64 deep": {strings.Repeat("(", 64) + "1" + strings.Repeat(")", 64), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, parameter := range []string{"query", "match[]"} {
				q, err := New("/query", url.Values{parameter: {c.text}})
				require.NoError(t, err)
				err = q.Check(limits, time.Unix(1_700_000_000, 0))
				if c.refused == "" {
					assert.NoError(t, err)
				} else {
					require.ErrorContains(t, err, parameter+": ")
					assert.ErrorContains(t, err, c.refused)
				}
			}
		})
	}
}

func tenants(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "tenant_" + strconv.Itoa(i)
	}
	return strings.Join(names, "|")
}

func TestWork(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for form, want := range map[string]int{
		"query=up":                1,
		"query=sum(rate(up[5m]))": 10,
		"query=a{b='c:d'}[5m]":    8,
		"query=up&start=1699990000&end=1700000000&step=10":    1001,
		"query=a%2Bb&start=1699990000&end=1700000000&step=10": 3003,
		"query=max_over_time(up[1h:1m])":                      7 * 100_001,
		"query=max_over_time(up[1h:])&start=1&end=11&step=10": 7 * 2 * 100_001,
	} {
		path := "/query"
		if strings.Contains(form, "step") {
			path = "/query_range"
		}
		q := ask(t, path, form)
		require.NoError(t, q.Check(limits, now))
		assert.Equal(t, want, q.Work, form)
	}
}

// The limits hold for a request, in however many parameters it is.
func TestCheck_AllParametersTogether(t *testing.T) {
	t.Parallel()
	one := `{a=~"` + strings.Repeat("x", 900) + `"}`
	var many []string
	for i := range 40 {
		many = append(many, one+strconv.Itoa(i))
	}
	q, err := New("/series", url.Values{"match[]": many})
	require.NoError(t, err)
	assert.ErrorContains(t, q.Check(limits, time.Now()), "match[]: the regular expressions would compile to more than")
}

// programSize is how many instructions package regexp makes of an expression.
func programSize(text string) int {
	parsed, err := syntax.Parse(text, syntax.Perl|syntax.DotNL)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// slack is what each program has besides what its text asks for.
const slack = 8

func TestRegexpCost(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "abc", "a|b|c", "a||||", "()", "(?:)", "((((a))))", "a*b+c?d*?", "a{3}", "a{0}", "a{2,}", "a{2,5}", "(ab|c){7,9}", "a{,5}", "a{x}",
		"(a{3}){4}", "((a|b){3,}c){4,6}", "[a-z]{30}", "[]a]{5}", "[^]a]{5}", `[\]]{9}`, "[[:alpha:]]{12}", `\Qa.b\E{5}`, `\Q(\E{5}x)`, `(?i)abc`,
		`(?i:k{9})`, `\pL{3}`, `\x{10ffff}{4}`, `é{20}`, `.*`, `(.*){9}`, `a{5}*`, `^a{2}$`, `\b{3}`, `(?P<name>a){6}`, "a{1000}", "(a{10}){100}",
	} {
		assert.LessOrEqual(t, programSize(text), regexpcost.Of(text, 1<<20)+slack, text)
	}
	assert.LessOrEqual(t, regexpcost.Of("(x{1000}){1000}", 1000), 1<<21, "it ends when it is too much")
}

// Whatever the text, its program is not larger than its cost.
func FuzzRegexpCost(f *testing.F) {
	f.Add("a{2,5}|[^b]*(c|d){3}")
	f.Add(`\Q(\E{5}[[:^digit:]\]]\pL?`)
	f.Add(`(?i)((x{3}|){2,})[]-]{4}`)
	f.Fuzz(func(t *testing.T, text string) {
		const most = 1 << 12
		if cost := regexpcost.Of(text, most); cost <= most {
			require.LessOrEqual(t, programSize(text), cost+slack, text)
		}
	})
}

// Where a string ends for the scan it ends for the parser, so that nothing hides from the scan.
func FuzzScan(f *testing.F) {
	f.Add("a{b=~\"c\\\"d\", e!='f'} # \"g\n + `h` or vector(1)[5m:1m] offset -1h")
	f.Add(`label_replace(up, "a", "$1", "b", "(.*)")`)
	f.Fuzz(func(t *testing.T, text string) {
		s := scanner{limits: Syntax{Depth: 32, Tokens: 1000, Strings: 100, Regexp: 10_000}}
		if s.scanExpression(text) != nil {
			return
		}
		expression, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			return
		}
		matchers := 0
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			switch node := node.(type) {
			case *parser.VectorSelector:
				for _, m := range node.LabelMatchers {
					if m.Name != "__name__" {
						matchers++
					}
				}
			case *parser.StringLiteral:
				matchers++
			}
			return nil
		})
		require.LessOrEqual(t, matchers, s.strings, text)
	})
}
