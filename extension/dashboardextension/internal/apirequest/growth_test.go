// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package apirequest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func nested(n int, before, inner, after string) string {
	return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
}

// One request with any of these took up to gigabytes.
func TestCheckExpression_LabelsThatGrow(t *testing.T) {
	t.Parallel()
	limits := limits
	limits.QueryBytes = 64 << 10
	for name, c := range map[string]struct{ text, refused string }{
		"doubled":             {nested(19, "label_join(", "a", `,"x","","x","x")`), `label_join: label "x" could hold 0 bytes of the expression's text and 128 copies`},
		"doubled in count":    {"count(" + nested(30, "label_join(", "a", `,"x","","x","x")`) + ")", `label "x" could hold`},
		"a literal, doubled":  {nested(19, "label_join(", `label_replace(vector(1),"x","aaaaaaaaaaaaaaaa","","")`, `,"x","","x","x")`), "copies"},
		"doubled by a regexp": {nested(12, "label_replace(", "a", `,"x","$1$1","x","(.*)")`), `label_replace: label "x" could hold`},
		"by turns":            {nested(10, "label_join(label_join(", "a", `,"y","","x","x"),"x","","y","y")`), "label_join: label"},
		"in parentheses":      {nested(19, "label_join(", "a", `,(("x")),"",("x"),("x"))`), `label "x" could hold`},
		"of operands":         {nested(8, "label_join(b + on(c) group_left(x) ", "a", `,"x","","x","x")`), `label "x" could hold`},
		"a thousand groups":   {`label_replace(a,"x","` + strings.Repeat("$1", 1000) + `","b","(.*)")`, "2000 bytes of the expression's text and 1000 copies"},
		"a long text":         {`label_replace(a,"x","` + strings.Repeat("y", 8193) + `","","")`, "8193 bytes of the expression's text"},
		"a long separator":    {`label_join(a,"x","` + strings.Repeat("y", 3000) + `","b","c","d")`, "9000 bytes of the expression's text"},
		"of an absent one":    {`absent(a{x="` + strings.Repeat("y", 9000) + `"})`, `absent: label "x" could hold 9000 bytes`},
		"one for each value":  {`label_replace(count_values("v",a),"x","` + strings.Repeat("y", 300) + `","","")`, "256 bytes and 64 copies are the most"},
		"subquery": {
			"max_over_time(" + nested(19, "label_join(", "a", `,"x","","x","x")`) + "[1m:1s])", `label "x" could hold`,
		},

		"a name of three":   {`label_join(a,"x","/","tenant_id","region","channel_type")`, ""},
		"parts of it":       {`label_replace(label_replace(a,"h","$1","i","(.*):(.*)"),"p","$2","i","(.*):(.*)")`, ""},
		"the same, again":   {nested(20, "label_replace(", "a", `,"x","$1","x","(.).*")`), ""},
		"values of windows": {`count_values("v", ws_window_size_seconds)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := ask(t, "/query", "")
			q.Values.Set("query", c.text)
			_, err := parser.NewParser(parser.Options{}).ParseExpr(c.text)
			require.NoError(t, err)
			err = q.CheckExpression(limits)
			if c.refused == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "query: ")
			assert.ErrorContains(t, err, c.refused)
		})
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Growth{
		"sum(rate(a[5m]))":                                                       {},
		`label_replace(a,"x","y","","")`:                                         {Copies: 2, Text: 1},
		`label_join(a,"x","/","b","c","d")`:                                      {Copies: 4, Text: 3},
		`label_replace(a,"x","-$1-$2","b","(.*)")`:                               {Copies: 3, Text: 6},
		"a * on(b) group_left(c, d) e":                                           {Copies: 3},
		`label_join(label_replace(a,"x","yyy","",""),"z","","x","x")`:            {Copies: 4, Text: 9},
		`label_replace(a,"x","y","","") or label_replace(b,"x","zz","","")`:      {Copies: 2, Text: 2},
		`count_values("x", a)`:                                                   {Copies: 2, Text: 32, Values: true},
		`sum by (x) (label_replace(a,"x","y","","")) / ignoring(x) group_left b`: {Copies: 2, Text: 1},
	} {
		q := ask(t, "/query", "")
		q.Values.Set("query", text)
		require.NoError(t, q.CheckExpression(limits), text)
		assert.Equal(t, want, q.Growth, text)
	}
	assert.Nil(t, GrownOf(Growth{}.NewContext(t.Context())))
	ctx := Growth{Copies: 2, Text: 10}.NewContext(t.Context())
	grown := GrownOf(ctx)
	assert.Equal(t, 210, grown.Add(100, 7))
	assert.Equal(t, 420, grown.Add(50, 7), "each as much as the longest")
	assert.Same(t, grown, GrownOf(ctx), "of a query, however many selectors it has")
	values := GrownOf(Growth{Copies: 1, Text: 32, Values: true}.NewContext(t.Context()))
	assert.Equal(t, 7*(100+32+seriesBytes), values.Add(100, 7), "a series of each value at each step")
}

// count_values makes a series of each value, and there may be another one at each point in time.
func TestCheckExpression_CountValuesOverManyPoints(t *testing.T) {
	t.Parallel()
	for form, refused := range map[string]bool{
		"query=count_values(\"v\", a)&start=0&end=10000&step=1":                                   false,
		"query=count_values(\"v\", a" + strings.Repeat("%2Ba", 50) + ")&start=0&end=10000&step=1": true,
		"query=max(a" + strings.Repeat("%2Ba", 50) + ")&start=0&end=10000&step=1":                 false,
		"query=max_over_time(count_values(\"v\", a)[1h:1m])":                                      true,
		"query=max(max_over_time(a[1h:1m]))":                                                      false,
	} {
		values, err := url.ParseQuery(form)
		require.NoError(t, err)
		path := "/query"
		if values.Has("start") {
			path = "/query_range"
		}
		q, err := New(path, values)
		require.NoError(t, err)
		require.NoError(t, q.Check(limits, time.Now()), form)
		err = q.CheckExpression(limits)
		if refused {
			assert.ErrorContains(t, err, "count_values: ", form)
		} else {
			assert.NoError(t, err, form)
		}
	}
}
