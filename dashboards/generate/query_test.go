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
	return strings.NewReplacer("${by:csv}", "region,tenant_id", "$__interval", "9s", "$__rate_interval", "60s", "$__range", "30m",
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
