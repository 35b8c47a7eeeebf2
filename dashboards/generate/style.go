// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/gauge"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/loki"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

// The colours, by what they mean.
const (
	calm     = "green"
	warning  = "orange"
	critical = "red"
	neutral  = "blue"
	nothing  = "dark-red" // no windows at all
)

// noValue is shown where a value is absent. What is unknown is never drawn as 0.
const noValue = "no windows, or not reported by this platform"

func metricsSource() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

func eventsSource() common.DataSourceRef {
	return common.DataSourceRef{Type: new("loki"), Uid: new("${loki}")}
}

// target is a query over the time in view; the n-th of a panel.
func target(n int, q promql.Query) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(string(rune('A' + n))).EditorMode(prometheus.QueryEditorModeCode).
		Datasource(metricsSource()).Expr(q.Expr).LegendFormat(q.Legend).Range().Interval(minStep(q.Expr))
}

// minStep is the finest step of a query: that of the windows, or of the scrapes for
// the collector's own telemetry. It goes before the scrape interval of the data source.
func minStep(expression string) string {
	if strings.Contains(expression, "otelcol_") {
		return scrapeEvery
	}
	return windowEvery
}

func targets(queries []promql.Query, shape func(*prometheus.DataqueryBuilder)) []cog.Builder[variants.Dataquery] {
	var all []cog.Builder[variants.Dataquery]
	for n, q := range queries {
		built := target(n, q)
		shape(built)
		all = append(all, built)
	}
	return all
}

func overTime(*prometheus.DataqueryBuilder) {}

func present(target *prometheus.DataqueryBuilder) { target.Instant() }

func presentTable(target *prometheus.DataqueryBuilder) {
	target.Instant().Format(prometheus.PromQueryFormatTable)
}

// lines is a panel of time series. A missing value is a hole in the line.
func lines(p promql.Panel) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(p.Title).Description(p.Description).Unit(p.Unit).
		Datasource(metricsSource()).Interval(windowEvery).Targets(targets(p.Queries, overTime)).
		LineWidth(1).FillOpacity(8).ShowPoints(common.VisibilityModeNever).
		SpanNulls(common.BoolOrFloat64{Bool: new(false)}).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassicByName)).
		Legend(legend("max", "lastNotNull")).Tooltip(tooltip()).Span(12).Height(8)
}

// bars is a bar chart over time, with no more bars than can be distinguished.
func bars(p promql.Panel) *barchart.PanelBuilder {
	return barchart.NewPanelBuilder().Title(p.Title).Description(p.Description).Unit(p.Unit).
		Datasource(metricsSource()).Interval(windowEvery).MaxDataPoints(60).Targets(targets(p.Queries, overTime)).
		Stacking(common.StackingModeNormal).ShowValue(common.VisibilityModeNever).XTickLabelSpacing(100).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassicByName)).
		Legend(legend("max", "lastNotNull")).Tooltip(tooltip()).Span(12).Height(8)
}

// dials is a gauge for each query, all on the scale of the greatest.
func dials(p promql.Panel) *gauge.PanelBuilder {
	return gauge.NewPanelBuilder().Title(p.Title).Description(p.Description).Unit(p.Unit).Min(0).NoValue(noValue).
		Datasource(metricsSource()).Interval(windowEvery).Targets(targets(p.Queries, present)).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Thresholds(steps(neutral)).ShowThresholdMarkers(false).Span(6).Height(8)
}

// states is a band for each series, coloured by its value.
func states(p promql.Panel, values map[string]dashboard.ValueMappingResult) *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().Title(p.Title).Description(p.Description).
		Datasource(metricsSource()).Interval(windowEvery).Targets(targets(p.Queries, overTime)).
		Mappings([]dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: values}}}).
		MergeValues(true).ShowValue(common.VisibilityModeNever).NeverSpanNulls().FillOpacity(80).LineWidth(0).RowHeight(0.8).
		Legend(legend()).Tooltip(tooltip()).Span(24).Height(6)
}

// state is how a value of states is shown.
func state(index int32, text, color string) dashboard.ValueMappingResult {
	return dashboard.ValueMappingResult{Text: &text, Color: &color, Index: &index}
}

// rows is a table of what is so at present, without the time and the value.
func rows(p promql.Panel, none string) *table.PanelBuilder {
	return table.NewPanelBuilder().Title(p.Title).Description(p.Description).NoValue(none).
		Datasource(metricsSource()).Interval(windowEvery).Targets(targets(p.Queries, presentTable)).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true, "Value": true},
			"indexByName":   map[string]int{"severity": 0, "rule": 1, "tenant_id": 2, "region": 3, "channel_type": 4},
		}}).Span(6).Height(8)
}

// records is a list of raw events, newest first.
func records(title, description, expression string) *logs.PanelBuilder {
	return logs.NewPanelBuilder().Title(title).Description(description).Datasource(eventsSource()).
		WithTarget(loki.NewDataqueryBuilder().RefId("A").Datasource(eventsSource()).EditorMode(loki.QueryEditorModeCode).Expr(expression).QueryType("range")).
		ShowTime(true).WrapLogMessage(true).EnableLogDetails(true).SortOrder(common.LogsSortOrderDescending).
		DedupStrategy(common.LogsDedupStrategyNone).Span(24).Height(8)
}

func legend(columns ...string) *common.VizLegendOptionsBuilder {
	return common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).
		Placement(common.LegendPlacementBottom).Calcs(append([]string{}, columns...))
}

func tooltip() *common.VizTooltipOptionsBuilder {
	return common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)
}

// steps colours values: the first colour from the bottom, the others from their value on.
func steps(base string, above ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: base}}, above...))
}

func dashedThresholds() *common.GraphThresholdsStyleConfigBuilder {
	return common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)
}

func from(value float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Value: &value, Color: color}
}

// dashed draws a query as a limit over the lines that it guards.
func dashed(color string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{
		{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{10, 10}}},
		{Id: "custom.fillOpacity", Value: 0},
		{Id: "color", Value: map[string]any{"mode": "fixed", "fixedColor": color}},
	}
}
