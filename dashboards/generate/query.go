// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// What the dashboards read from the windows' own metrics, once for the time in view:
// no size or step is written down here. Both are in ms, which Grafana and PromQL take
// in fractions of a second, too.
const (
	stepVariable  = "window_step"
	freshVariable = "window_fresh"
)

// windowEvery is how often a series has a window. As the step of a query it gives
// every window a point of its own, and a missing window an empty one. Where streams
// differ it is the longest.
const windowEvery = "${" + stepVariable + "}ms"

// fresh is the age at which a value still counts as the present one: a window
// more than is due, and the time it needs to arrive. Never the five minutes that
// Prometheus looks back by itself, which would draw a dead stream as a calm one.
const fresh = "${" + freshVariable + "}ms"

// longestStep is the step of the windows, s. A second stands in while no stream has one.
const longestStep = "(max(last_over_time(ws_window_step_seconds[1d])) or vector(1))"

// Queries of the two variables.
const (
	stepQuery  = "ceil(1000 * " + longestStep + ")"
	freshQuery = "ceil(1000 * (2 * " + longestStep + " + 2))"
)

// scrapeEvery is how often the collector's own telemetry is scraped, at least.
const scrapeEvery = "15s"

// What the variables at the top of a dashboard let through.
const (
	selectedSeries    = `tenant_id=~"$tenant_id", region=~"$region", channel_type=~"$channel_type"`
	selectedStreams   = `tenant_id=~"$tenant_id", region=~"$region"`
	selectedInstances = `instance=~"$instance"`
	// In a link nothing turns a choice of several into a pattern.
	linkedSeries  = `tenant_id=~"${tenant_id:pipe}", region=~"${region:pipe}", channel_type=~"${channel_type:pipe}"`
	linkedStreams = `tenant_id=~"${tenant_id:pipe}", region=~"${region:pipe}"`
)

// What a series, a stream and an alert are known by. Whatever else a store puts
// on a series (otel_scope_name, job, replica) is aggregated away.
const (
	series = "tenant_id, region, channel_type"
	stream = "tenant_id, region"
	alert  = "rule, severity, tenant_id, region, channel_type"
)

// perSeries applies a function to the windows of each step, per series.
func perSeries(function, metric string) string {
	return fmt.Sprintf("max by (%s) (%s(%s{%s}[$__interval]))", series, function, metric, selectedSeries)
}

// perStream is the same for what every series of a stream says alike.
func perStream(aggregation, function, metric string) string {
	return fmt.Sprintf("%s by (%s) (%s(%s{%s}[$__interval]))", aggregation, stream, function, metric, selectedStreams)
}

// grouped puts series together by what the reader has chosen under "by".
func grouped(aggregation, expression string) string {
	return fmt.Sprintf("%s by (${by:csv}) (%s)", aggregation, expression)
}

// ofRule is a metric of the alert connector for one rule, per series.
func ofRule(metric, rule string) string {
	return fmt.Sprintf(`max by (%s) (last_over_time(%s{rule="%s", %s}[$__interval]))`, series, metric, rule, selectedSeries)
}

// whole keeps the groups of a sum of thresholds in which every series has one,
// so that a sum above it means that a series is above its own.
func whole(thresholds, values string) string {
	return fmt.Sprintf("%s and on (${by:csv}) %s >= %s",
		grouped("sum", thresholds), grouped("count", thresholds), grouped("count", values))
}

// telemetry selects a metric of the collector's own telemetry by both its names:
// the bare one, under which its own address serves it, and the one with unit and
// _total, which a store makes of what comes by OTLP.
func telemetry(metric string, matchers ...string) string {
	return fmt.Sprintf(`{__name__=~"%s(_seconds|_bytes)?(_total)?", %s}`, metric,
		strings.Join(append([]string{selectedInstances}, matchers...), ", "))
}

// own is a gauge of the collector's own telemetry.
func own(metric string, by ...string) string {
	return fmt.Sprintf("max by (%s) (last_over_time(%s[$__rate_interval]))", instanceAnd(by), telemetry(metric))
}

// ownRate is how fast a counter of the collector's own telemetry grows.
func ownRate(metric string, by ...string) string {
	return fmt.Sprintf("sum by (%s) (rate(%s[$__rate_interval]))", instanceAnd(by), telemetry(metric))
}

// ownIncrease is by how much one grew. A counter of what seldom happens begins
// with its first occurrence, which increase() does not see; its first value
// stands in.
func ownIncrease(metric string, by ...string) string {
	return fmt.Sprintf("sum by (%[1]s) (increase(%[2]s[$__rate_interval]) > 0 or"+
		" (last_over_time(%[2]s[$__rate_interval]) unless last_over_time(%[2]s[$__rate_interval] offset $__rate_interval)) or"+
		" increase(%[2]s[$__rate_interval]))", instanceAnd(by), telemetry(metric))
}

func instanceAnd(by []string) string {
	return strings.Join(append([]string{"instance"}, by...), ", ")
}

// rawEvents is a Loki query for event records of the selected series. The three
// dimensions are index labels there, service_name is always one and keeps the
// query valid when everything is selected.
func rawEvents(selected, filter string) string {
	return strings.TrimSpace(fmt.Sprintf(`{service_name=~".+", %s} %s`, selected, filter))
}

// explore is the address of Grafana's Explore with a Loki query over the time in
// view. Variables stay readable, for Grafana replaces them before anything else.
func explore(query string) string {
	pane := `{"raw":{"datasource":"${loki}","queries":[{"refId":"A","expr":` + strconv.Quote(query) +
		`}],"range":{"from":"${__from}","to":"${__to}"}}}`
	escaped := url.QueryEscape(pane)
	for _, kept := range []string{"$", "{", "}", ":"} {
		escaped = strings.ReplaceAll(escaped, url.QueryEscape(kept), kept)
	}
	return "/explore?schemaVersion=1&panes=" + strings.ReplaceAll(escaped, "+", "%20")
}
