// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// The rules as shipped. A rule of your own shows in every panel here but those
// that draw its values.
const (
	connectionsRule = "ws_active_connections_high"
	dropsRule       = "ws_connection_drop_rate"
	skewRule        = "ws_clock_skew"
)

const (
	selectedAlerts = `rule=~"$rule", ` + selectedSeries
	alertName      = "{{rule}}: {{tenant_id}} {{region}} {{channel_type}}"
)

// alerts answers: what fires, what fired, and how close was it?
func alerts() *dashboard.DashboardBuilder {
	built := withDimensions(shell(alertsUID, "Contact centre: alerts",
		"The alerts that the collector itself raises: what fires now, what fired, and the values that decided.")).
		WithVariable(choice("rule", "Rule", "ws_alert_firing"))
	built.
		WithPanel(firingNow(selectedAlerts).Span(12)).
		WithPanel(perRule("How often",
			"Which share of the time shown each rule was firing, in the series where it did most: what is always on is no alert.",
			"no rule is watched",
			query{"100 * max by (rule) (avg_over_time(ws_alert_firing{" + selectedAlerts + "}[$__range]))", "{{rule}}"}).
			Unit(units.Percent).Max(100).Thresholds(steps(calm, from(1, warning), from(20, critical)))).
		WithPanel(perRule("Still learning",
			"How many series have too short a history for a baseline, so that the rule is silent about them. From the collector's own telemetry.",
			"no rule has a baseline",
			query{"sum by (rule) (last_over_time(otelcol_alert_learning_series{rule=~\"$rule\"}[1m]))", "{{rule}}"}).
			Unit(units.Short).Thresholds(steps(calm, from(1, neutral)))).
		WithPanel(states("History",
			"When each alert fired, of those that did in the time shown. An empty place is a time without windows, in which no rule can decide.",
			map[string]dashboard.ValueMappingResult{"1": state(0, "firing", critical), "0": state(1, "not firing", calm)},
			query{"max by (" + alert + ") (max_over_time(ws_alert_firing{" + selectedAlerts + "}[$__interval]))" +
				" and on (" + alert + ") max by (" + alert + ") (max_over_time(ws_alert_firing{" + selectedAlerts + "}[$__range] @ end())) > 0", alertName}).
			ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
			Thresholds(steps(calm, from(1, critical))).Height(8))
	for _, rule := range []struct{ name, title, metric, function, unit, asks string }{
		{connectionsRule, "Active connections", "ws_active_connections", "max_over_time", units.Short, "Are there more connections than usual?"},
		{dropsRule, "Drop rate", "ws_drop_rate_percent", "max_over_time", units.Percent, "Do connections drop?"},
		{skewRule, "Clock skew", "ws_clock_skew_milliseconds", "last_over_time", units.Milliseconds, "Is the platform's clock right? The threshold holds in both directions."},
	} {
		queries := []query{
			{perSeries(rule.function, rule.metric), "value: " + group},
			{ofRule("ws_alert_threshold", rule.name), "threshold: " + group},
		}
		if rule.name == connectionsRule { // the only one of them that has a baseline
			queries = append(queries, query{ofRule("ws_alert_baseline", rule.name), "baseline: " + group})
		}
		built.WithPanel(lines(rule.title+": value and threshold",
			rule.asks+" Per series, for the rule "+rule.name+". Choose a tenant, a region and a channel type to see one series alone.",
			rule.unit, queries...).
			OverrideByQuery("B", dashed(critical)).OverrideByQuery("C", dashed(neutral)).Span(8).
			DataLinks(eventsLink("Raw events", "")))
	}
	return built.WithPanel(records("Alert records",
		"What was sent to the webhook, if the alerts are also sent to Loki: value, threshold, context, and every metric of the same window.",
		rawEvents(selectedStreams, `| alert_id != ""`)))
}

// firingNow is a table of the alerts that fire at present.
func firingNow(selected string) *table.PanelBuilder {
	return rows("Firing now",
		"The alerts that fire at present. Empty means that nothing fires, or that no windows come: see whether the stream can be trusted.",
		"nothing fires",
		query{"max by (" + alert + ") (last_over_time(ws_alert_firing{" + selected + "}[" + fresh + "])) == 1", ""})
}

// perRule is a bar for each rule.
func perRule(title, description, none string, q query) *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().Title(title).Description(description).NoValue(none).Min(0).
		Datasource(metricsSource()).Interval(windowEvery).Targets(targets([]query{q}, present)).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Orientation(common.VizOrientationHorizontal).DisplayMode(common.BarGaugeDisplayModeBasic).Span(6).Height(8)
}

// alertMarks are the annotations: a colour and a switch of its own for each rule as
// shipped, and one for all others.
func alertMarks() []cog.Builder[dashboard.AnnotationQuery] {
	var marks []cog.Builder[dashboard.AnnotationQuery]
	for _, rule := range []struct{ name, color, matcher string }{
		{dropsRule, critical, `rule="` + dropsRule + `"`},
		{connectionsRule, "purple", `rule="` + connectionsRule + `"`},
		{skewRule, "yellow", `rule="` + skewRule + `"`},
		{"Other alerts", "semi-dark-red", `rule!~"` + dropsRule + "|" + connectionsRule + "|" + skewRule + `"`},
	} {
		marks = append(marks, mark(rule.name, rule.color,
			"max by ("+alert+") (max_over_time(ws_alert_firing{"+rule.matcher+", "+selectedSeries+"}[$__interval])) > 0"))
	}
	return marks
}
