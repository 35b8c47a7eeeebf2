// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promql

import (
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	l, err := NewLibrary(map[string]string{"series": `a="b"`, "streams": "", "range": "7s"}, nil)
	require.NoError(t, err)
	for text, want := range map[string]string{
		`<%per_series "max_over_time" "m"%>`: `max by (tenant_id, region, channel_type) (max_over_time(m{a="b"}[7s]))`,
		`<%per_stream "min" "f" "m"%> == 1`:  `min by (tenant_id, region) (f(m[7s])) == 1`,
		`x{legend="{{rule}}"}`:               `x{legend="{{rule}}"}`,
	} {
		expanded, err := l.Expand(text)
		require.NoError(t, err)
		assert.Equal(t, want, expanded)
	}
	for text, want := range map[string]string{
		`<%per_series "m"%>`: "2 parameters",
		`<%no_such%>`:        `function "no_such" not defined`,
		`<%.no_such%>`:       "no_such",
		`<%per_series`:       "unclosed action",
	} {
		_, err := l.Expand(text)
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, l.Define(Macro{Name: "per_series", Expr: "x"}), `macro "per_series"`)
}

// Nothing of a rule depends on the step that ws_window has by default.
func TestRules_AnyStep(t *testing.T) {
	t.Parallel()
	for step, want := range map[time.Duration][]string{
		9 * time.Second:        {"9s", "18s", "27s", "45s", "30s"},
		time.Minute:            {"60s", "120s", "180s", "300s", "183s"},
		630 * time.Millisecond: {"630ms", "1260ms", "1890ms", "3150ms", "4890ms"},
	} {
		text, err := Rules(step)
		require.NoError(t, err)
		groups, problems := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
		require.Empty(t, problems, "%s", text)
		require.Len(t, groups.Groups, 3)
		assert.Equal(t, step, time.Duration(groups.Groups[0].Interval))
		for _, length := range want {
			assert.Regexp(t, `[\[ ]`+length+`\b`, string(text))
		}
		if step != 9*time.Second {
			assert.NotRegexp(t, `\b(9|18|27|45)s\b`, string(text))
		}
		assert.NotContains(t, string(text), "<%")
	}
}

// The page's queries take their ranges from the server, and every one of them is PromQL.
func TestPage_Queries(t *testing.T) {
	t.Parallel()
	module, err := Page()
	require.NoError(t, err)
	assert.NotRegexp(t, `\b(9|18|20)s\b|9_000`, string(module))
	parameters := map[string]string{
		"range": "9s", "window": "9s", "span": "900s", "fine": "240s", "mean": "[9s]", "end": "[9s]", "all": "[900s:9s]",
		"totals": "{x=~\"y\"}", "baseline": "b", "threshold": "t", "message_threshold": "t", "judged": "j", "running": "r", "running_dropped": "r", "running_closed": "r", "of": "o",
		"group": "region", "and_group": ",region", "limit": "ws_alert_baseline", "limit_matchers": `region=""`,
	}
	promql := parser.NewParser(parser.Options{})
	expressions := regexp.MustCompile("(?s)`([^`]+)`").FindAllStringSubmatch(string(module), -1)
	require.Greater(t, len(expressions), 15)
	for _, expression := range expressions {
		filled := regexp.MustCompile(`\$\{p\.(\w+)\}`).ReplaceAllStringFunc(expression[1], func(field string) string {
			return parameters[field[4:len(field)-1]]
		})
		_, err := promql.ParseExpr(filled)
		require.NoError(t, err, filled)
	}
}
