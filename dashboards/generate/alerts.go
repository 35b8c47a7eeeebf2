// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

// alerts shows what fires now, what fired, and the values that decided.
func alerts(a asked, variables map[string]string) *dashboard.DashboardBuilder {
	built := withDimensions(shell(alertsUID, "Contact centre: alerts",
		"The alerts that the collector itself raises: what fires now, what fired, and the values that decided.", variables)).
		WithVariable(choice("rule", "Rule", "ws_alert_firing"))
	built.
		WithPanel(firingNow(a.panel("firing_now")).Span(12)).
		WithPanel(perRule(a.panel("how_often"), "no rule is watched").
			Unit(units.Percent).Max(100).Thresholds(steps(calm, from(1, warning), from(20, critical)))).
		WithPanel(perRule(a.panel("still_learning"), "no rule has a baseline").
			Unit(units.Short).Thresholds(steps(calm, from(1, neutral)))).
		WithPanel(states(a.panel("history"),
			map[string]dashboard.ValueMappingResult{"1": state(0, "firing", critical), "0": state(1, "not firing", calm)}).
			ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
			Thresholds(steps(calm, from(1, critical))).Height(8))
	for _, name := range []string{"active_connections", "drop_rate", "clock_skew"} {
		built.WithPanel(lines(a.panel(name+"_value_and_threshold")).
			OverrideByQuery("B", dashed(critical)).OverrideByQuery("C", dashed(neutral)).Span(8).
			DataLinks(eventsLink("Raw events", "")))
	}
	return built.WithPanel(records("Alert records",
		"What was sent to the webhook, if the alerts are also sent to Loki: value, threshold, context, and every metric of the same window.",
		rawEvents(selectedStreams, `| alert_id != ""`)))
}

// firingNow lists the alerts that fire at present.
func firingNow(p promql.Panel) *table.PanelBuilder { return rows(p, "nothing fires") }

// perRule is a bar for each rule, of its present value.
func perRule(p promql.Panel, none string) *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().Title(p.Title).Description(p.Description).NoValue(none).Min(0).
		Datasource(metricsSource()).Interval(windowEvery).Targets(targets(p.Queries, present)).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Orientation(common.VizOrientationHorizontal).DisplayMode(common.BarGaugeDisplayModeBasic).Span(6).Height(8)
}
