// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

// The dashboards' addresses, by which they link to each other.
const (
	overviewUID     = "ccaas-overview"
	sessionsUID     = "ccaas-sessions"
	streamHealthUID = "ccaas-stream-health"
	alertsUID       = "ccaas-alerts"
)

// shell is what all dashboards have: the time, the refresh, the stores
// and the links to the others.
func shell(uid, title, description string, variables map[string]string) *dashboard.DashboardBuilder {
	built := dashboard.NewDashboardBuilder(title).Uid(uid).Description(description).
		Tags([]string{"otelcol-ccaas"}).Timezone("browser").Editable().Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-30m", "now").Refresh("10s").
		// No faster than a window lasts as shipped; a window takes two seconds to arrive.
		Timepicker(dashboard.NewTimePickerBuilder().NowDelay("2s").
			RefreshIntervals([]string{"10s", "30s", "1m", "5m", "15m", "1h"})).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Metrics").Type("prometheus").
			Description("Where the metrics are: a Prometheus, a Mimir, or the collector's own store")).
		WithVariable(dashboard.NewDatasourceVariableBuilder("loki").Label("Raw events").Type("loki").
			Description("Where the raw events are. Without a Loki the panels of raw events stay empty, and only those")).
		WithVariable(hidden(stepVariable, "Window step, ms", variables[stepVariable])).
		WithVariable(hidden(freshVariable, "Age of a present value, ms", variables[freshVariable]))
	for _, other := range []struct{ uid, title string }{
		{overviewUID, "Overview"}, {sessionsUID, "Sessions"}, {streamHealthUID, "Stream health"}, {alertsUID, "Alerts"},
	} {
		if other.uid != uid {
			built.Link(link(other.title, "/d/"+other.uid).Icon("dashboard").KeepTime(true).IncludeVars(true))
		}
	}
	return built.Link(link("Raw events", explore(rawEvents(linkedStreams, ""))).Icon("external link").TargetBlank(true))
}

func link(title, url string) *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).Url(url)
}

// eventsLink leads from a point in a panel to the raw events of the time in view.
func eventsLink(title, filter string) []cog.Builder[dashboard.DashboardLink] {
	return []cog.Builder[dashboard.DashboardLink]{
		link(title, explore(rawEvents(linkedSeries, filter))).TargetBlank(true),
	}
}

// hidden is a variable that nobody chooses: the value of a query.
func hidden(name, label, expression string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(metricsSource()).
		Query(dashboard.StringOrMap{String: new("query_result(" + expression + ")")}).
		Regex(`/\} ([0-9]+) /`). // labels, value, time
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Hide(dashboard.VariableHideHideVariable)
}

// choice is a variable with the values of a label. Everything is selected at
// first, also series that have no such label: the one that overflows has none.
func choice(name, label, metric string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(metricsSource()).
		Query(dashboard.StringOrMap{String: new("label_values(" + metric + ", " + name + ")")}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
}

// withDimensions adds the three dimensions of windows as variables.
func withDimensions(built *dashboard.DashboardBuilder) *dashboard.DashboardBuilder {
	const windows = "ws_window_complete_ratio"
	return built.
		WithVariable(choice("tenant_id", "Tenant", windows)).
		WithVariable(choice("region", "Region", windows+`{tenant_id=~"$tenant_id"}`)).
		WithVariable(choice("channel_type", "Channel type", windows+`{tenant_id=~"$tenant_id", region=~"$region"}`))
}

// withBy adds the dimensions by which a panel groups.
func withBy(built *dashboard.DashboardBuilder) *dashboard.DashboardBuilder {
	return built.WithVariable(dashboard.NewCustomVariableBuilder("by").Label("By").Multi(true).
		Description("What a line stands for").
		Values(dashboard.StringOrMap{String: new("region,tenant_id,channel_type")}).
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"region"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"region"}},
		}))
}

// mark draws the times at which a query is above zero over all panels.
func mark(q promql.Query, color string) *dashboard.AnnotationQueryBuilder {
	return dashboard.NewAnnotationQueryBuilder().Name(q.Legend).Datasource(metricsSource()).
		Enable(true).IconColor(color).Expr(q.Expr)
}

// streamBands shows whether the windows of each stream are complete, incomplete,
// missing, or of a gap that is healed, which would otherwise be no more than an empty place.
func streamBands(p promql.Panel) *statetimeline.PanelBuilder {
	return states(p, map[string]dashboard.ValueMappingResult{
		"1": state(0, "complete", calm), "0.5": state(1, "gap, healed", neutral), "0": state(2, "incomplete", warning), "-1": state(3, "no windows", nothing),
	}).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).
		Thresholds(steps(nothing, from(0, warning), from(0.5, neutral), from(1, calm)))
}
