// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// leastInterval is the least time of a point where the store has no PromQL. A window as shipped begins every 9 s, so each point has one.
const leastInterval = "10s"

// store is a database other than a Prometheus, whose queries are written here: the panels are the overview's.
type store struct {
	folder, title, plugin string
	choices               func(dimension string) string // the query for the values of a variable
	all                   string                        // what "All" stands for; empty: all values
	query                 func(p storePanel) variants.UnknownDataquery
}

// storePanel is a panel of every store.
type storePanel struct {
	name, description string
	metric            string // OTLP name
	prometheus        string // Prometheus name
	within, over      string // aggregate of the windows of a series, and of the series of a region
	present           bool   // one number, of the newest windows
}

func storePanels() []storePanel {
	return []storePanel{
		{
			name: "active_connections", metric: "ws.active_connections", prometheus: "ws_active_connections", within: "max", over: "sum",
			description: "How many connections were open at some moment of each window; the highest window where a point stands for several.",
		},
		{
			name: "messages_per_second", metric: "ws.messages", prometheus: "ws_messages_per_second", within: "avg", over: "sum",
			description: "How many messages are sent and received per second. A bar is the average of the windows it covers; no bar means no windows.",
		},
		{
			name: "payload_throughput", metric: "ws.payload.throughput", prometheus: "ws_payload_throughput_bytes_per_second", over: "sum", present: true,
			description: "How many bytes of payload move now. No value means that no windows come, or that no message of these series has a size.",
		},
		{
			name: "drop_rate", metric: "ws.drop_rate", prometheus: "ws_drop_rate_percent", within: "max", over: "max",
			description: "Which share of the open connections dropped in a window: the worst series of each region. Dashed: 0.5 %, at which the rule as shipped alerts.",
		},
	}
}

func stores() []store {
	return []store{
		{
			folder: "timescaledb", title: "Contact centre: overview (TimescaleDB)", plugin: "grafana-postgresql-datasource",
			choices: func(dimension string) string {
				return "SELECT DISTINCT " + dimension + " FROM ws_metrics WHERE metric_name = 'ws.active_connections' AND $__timeFilter(window_timestamp) ORDER BY 1"
			},
			query: func(p storePanel) variants.UnknownDataquery {
				format := "time_series"
				if p.present {
					format = "table"
				}
				return variants.UnknownDataquery{"rawQuery": true, "editorMode": "code", "format": format, "rawSql": p.sql()}
			},
		},
		{
			folder: "influxdb", title: "Contact centre: overview (InfluxDB)", plugin: "influxdb", all: ".*",
			choices: func(dimension string) string {
				return `SHOW TAG VALUES FROM "ws_active_connections" WITH KEY = "` + dimension + `"`
			},
			query: func(p storePanel) variants.UnknownDataquery {
				return variants.UnknownDataquery{"rawQuery": true, "resultFormat": "time_series", "alias": "$tag_region", "query": p.influxQL()}
			},
		},
	}
}

// sql is the query for TimescaleDB and PostgreSQL, with Grafana's macros.
func (p storePanel) sql() string {
	chosen := "metric_name = '" + p.metric + "' AND region IN (${region:sqlstring}) AND tenant_id IN (${tenant_id:sqlstring})\n    AND channel_type IN (${channel_type:sqlstring})"
	if p.present {
		return `SELECT sum(value) AS now FROM (
  SELECT DISTINCT ON (region, tenant_id, channel_type) value FROM ws_metrics
  WHERE ` + chosen + `
    AND window_timestamp > to_timestamp(${__to} / 1000.0) - INTERVAL '30 seconds'
  ORDER BY region, tenant_id, channel_type, window_timestamp DESC) AS latest`
	}
	return `SELECT time, region AS metric, ` + p.over + `(value) AS value FROM (
  SELECT $__timeGroup(window_timestamp, $__interval) AS time, region, tenant_id, channel_type, ` + p.within + `(value) AS value FROM ws_metrics
  WHERE ` + chosen + ` AND $__timeFilter(window_timestamp)
  GROUP BY 1, 2, 3, 4) AS series
GROUP BY 1, 2 ORDER BY 1`
}

// influxQL is the query for InfluxDB 1, and 2 with a mapping of the bucket, with Grafana's macros.
func (p storePanel) influxQL() string {
	within := strings.Replace(p.within, "avg", "mean", 1)
	chosen := `"region" =~ /^${region:regex}$/ AND "tenant_id" =~ /^${tenant_id:regex}$/ AND "channel_type" =~ /^${channel_type:regex}$/`
	if p.present {
		return fmt.Sprintf(`SELECT sum("value") FROM (SELECT last("value") AS "value" FROM %q WHERE %s AND time > ${__to}ms - 30s AND time <= ${__to}ms GROUP BY "region", "tenant_id", "channel_type")`,
			p.prometheus, chosen)
	}
	return fmt.Sprintf(`SELECT %s("value") FROM (SELECT %s("value") AS "value" FROM %q WHERE %s AND $timeFilter GROUP BY time($__interval), "region", "tenant_id", "channel_type" fill(none)) WHERE $timeFilter GROUP BY time($__interval), "region" fill(none)`,
		p.over, within, p.prometheus, chosen)
}

// given is a query that is built.
type given struct{ query variants.Dataquery }

func (g given) Build() (variants.Dataquery, error) { return g.query, nil }

// overview is the overview of a store.
func (s store) overview(a asked) *dashboard.DashboardBuilder {
	source := common.DataSourceRef{Type: new(s.plugin), Uid: new("${datasource}")}
	built := dashboard.NewDashboardBuilder(s.title).Uid("ccaas-overview-"+s.folder).
		Description("Connections, messages and bytes of the contact centre's WebSockets, as the windows count them.").
		Tags([]string{"otelcol-ccaas"}).Timezone("browser").Editable().Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-30m", "now").Refresh("10s").
		Timepicker(dashboard.NewTimePickerBuilder().NowDelay("2s").RefreshIntervals([]string{"10s", "30s", "1m", "5m", "15m", "1h"})).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Windows").Type(s.plugin))
	for _, dimension := range []struct{ name, label string }{{"tenant_id", "Tenant"}, {"region", "Region"}, {"channel_type", "Channel type"}} {
		variable := dashboard.NewQueryVariableBuilder(dimension.name).Label(dimension.label).Datasource(source).
			Query(dashboard.StringOrMap{String: new(s.choices(dimension.name))}).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).
			Current(dashboard.VariableOption{
				Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
				Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
			})
		if s.all != "" {
			variable.AllValue(s.all)
		}
		built.WithVariable(variable)
	}
	for _, p := range storePanels() {
		query := s.query(p)
		query["refId"], query["datasource"] = "A", map[string]string{"type": s.plugin, "uid": "${datasource}"}
		targets := []cog.Builder[variants.Dataquery]{given{query}}
		panel := a.panel(p.name)
		panel.Description, panel.Queries = p.description, nil
		switch p.name {
		case "messages_per_second":
			built.WithPanel(bars(panel).Datasource(source).Interval(leastInterval).Targets(targets))
		case "payload_throughput":
			built.WithPanel(dials(panel).Datasource(source).Interval(leastInterval).Targets(targets).Span(12))
		case "drop_rate":
			built.WithPanel(lines(panel).Datasource(source).Interval(leastInterval).Targets(targets).Min(0).AxisSoftMax(1).NoValue(noValue).
				Thresholds(steps(calm, from(0.5, critical))).ThresholdsStyle(dashedThresholds()))
		default:
			built.WithPanel(lines(panel).Datasource(source).Interval(leastInterval).Targets(targets))
		}
	}
	return built
}

// libraryElement is a library panel, as Grafana's API creates one: POST /api/library-elements.
type libraryElement struct {
	UID   string         `json:"uid"`
	Name  string         `json:"name"`
	Kind  int            `json:"kind"` // 1: a panel
	Model map[string]any `json:"model"`
}

// libraryPanels are the three primary panels of a dashboard.
func libraryPanels(built dashboard.Dashboard) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, one := range built.Panels {
		if one.Panel == nil || len(files) == 3 {
			continue
		}
		text, err := json.Marshal(one.Panel)
		if err != nil {
			return nil, err
		}
		e := libraryElement{Name: "Contact centre: " + *one.Panel.Title, Kind: 1, Model: map[string]any{}}
		if err := json.Unmarshal(text, &e.Model); err != nil {
			return nil, err
		}
		delete(e.Model, "id")
		delete(e.Model, "gridPos")
		name := strings.ReplaceAll(strings.ToLower(*one.Panel.Title), " ", "-")
		e.UID = "ccaas-" + name
		var file bytes.Buffer
		encoder := json.NewEncoder(&file)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(e); err != nil {
			return nil, err
		}
		files["dashboards/library/"+name+".json"] = file.Bytes()
	}
	return files, nil
}
