// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/loki"
	sdk "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// filled is an expression as Grafana sends it, with everything selected.
func filled(expression string) string {
	return strings.NewReplacer("${by:csv}", "region,tenant_id", "${window_step}", "9000", "${window_fresh}", "20000", "$__interval", "9s", "$__rate_interval", "60s", "$__range", "30m",
		"$tenant_id", ".*", "$region", ".*", "$channel_type", ".*", "$instance", ".*", "$rule", ".*").Replace(expression)
}

// expressions are all that a dashboard asks the metrics' store, by where it does.
func expressions(decoded dashboard.Dashboard) map[string][]string {
	all := map[string][]string{}
	for _, panel := range panels(decoded) {
		for _, target := range panel.Targets {
			if query, is := target.(*sdk.Dataquery); is {
				all[*panel.Title] = append(all[*panel.Title], query.Expr)
			}
		}
	}
	for _, annotation := range decoded.Annotations.List {
		all[annotation.Name] = append(all[annotation.Name], *annotation.Expr)
	}
	return all
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		for where, queries := range expressions(decoded) {
			for _, query := range queries {
				expression, err := promql.ParseExpr(filled(query))
				require.NoError(t, err, "%s: %s", where, query)
				assert.NotContains(t, filled(query), "$", where)
				selectors := 0
				parser.Inspect(expression, func(node parser.Node, path []parser.Node) error {
					if _, is := node.(*parser.VectorSelector); is {
						selectors++
						assert.IsType(t, &parser.MatrixSelector{}, path[len(path)-1],
							"%s: looks back five minutes and draws a dead stream as a calm one: %s", where, query)
						assert.True(t, aggregated(path), "%s: is not aggregated, and a store may add labels: %s", where, query)
					}
					return nil
				})
				assert.Positive(t, selectors, where)
			}
		}
	})
}

// The geometry of windows is read from the windows, and what is unknown stays absent.
func TestVariables_GeometryOfWindows(t *testing.T) {
	t.Parallel()
	promql := parser.NewParser(parser.Options{})
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, text []byte) {
		found := map[string]string{}
		for _, variable := range decoded.Templating.List {
			if variable.Query == nil || variable.Query.String == nil {
				continue
			}
			expression, is := strings.CutPrefix(*variable.Query.String, "query_result(")
			if !is {
				continue
			}
			_, err := promql.ParseExpr(strings.TrimSuffix(expression, ")"))
			require.NoError(t, err)
			assert.Contains(t, expression, "ws_window_step_seconds")
			require.NotNil(t, variable.Regex)
			found[variable.Name] = *variable.Regex
		}
		require.Contains(t, found, stepVariable)
		require.Contains(t, found, freshVariable)
		for _, pattern := range found {
			match := regexp.MustCompile(strings.Trim(pattern, "/")).FindStringSubmatch(`{} 9000 1715623400000`)
			assert.Equal(t, []string{`} 9000 `, "9000"}, match)
		}
		assert.NotContains(t, string(text), "vector(0)", "0 in the place of what is unknown")
		for where, queries := range expressions(decoded) {
			for _, query := range queries {
				assert.NotRegexp(t, `ws_(active|messages|payload|drop|window|clock)[a-z_]*(\{[^}]*\})?\[[0-9.]+(ms|s)\]`, query, where)
			}
		}
	})
}

// aggregated says whether the labels above a selector are chosen by name.
func aggregated(path []parser.Node) bool {
	for _, node := range path {
		if aggregation, is := node.(*parser.AggregateExpr); is && !aggregation.Without {
			return true
		}
	}
	return false
}

var (
	matcher = regexp.MustCompile(`(\w+)(?:=~|!=|=|!~)"`)
	filter  = regexp.MustCompile(`\| (\w+) `)
)

// Raw events can be asked for only by what the records carry. Loki turns the dots
// of their attributes into underscores.
func TestLokiQueries(t *testing.T) {
	t.Parallel()
	known := []string{"service_name"} // Loki's own
	for _, attribute := range []string{
		wsevent.TenantID, wsevent.Region, wsevent.ChannelType,
		wsevent.CloseAbnormal, wsevent.ViolationReason, wsevent.AlertID,
	} {
		known = append(known, strings.ReplaceAll(attribute, ".", "_"))
	}
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		queries := 0
		for _, panel := range panels(decoded) {
			for _, target := range panel.Targets {
				query, is := target.(*loki.Dataquery)
				if !is {
					continue
				}
				queries++
				found := matcher.FindAllStringSubmatch(query.Expr, -1)
				assert.NotEmpty(t, found, query.Expr)
				for _, label := range append(found, filter.FindAllStringSubmatch(query.Expr, -1)...) {
					assert.Contains(t, known, label[1], query.Expr)
				}
			}
		}
		assert.Positive(t, queries)
	})
}

// unescape is the pane of an address of Explore.
func unescape(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	values, err := url.ParseQuery(parsed.RawQuery)
	require.NoError(t, err)
	return values.Get("panes")
}
