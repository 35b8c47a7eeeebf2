// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Data views, and the identifiers of saved objects.
const (
	windowsView, eventsView = "ccaas-windows", "ccaas-events"
	kibanaOverview          = "ccaas-kibana-overview"
	kibanaEvents            = "ccaas-kibana-events"
	kibanaDropped           = "ccaas-kibana-dropped"
	kibanaVersion           = "8.8.0" // of the format; Kibana migrates from it
)

// savedObject is a line of a file that Kibana imports.
type savedObject struct {
	ID             string         `json:"id"`
	Type           string         `json:"type"`
	Attributes     map[string]any `json:"attributes"`
	References     []reference    `json:"references"`
	CoreVersion    string         `json:"coreMigrationVersion"`
	TypeVersion    string         `json:"typeMigrationVersion"`
	ManagedByOther bool           `json:"managed"`
}

type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// kibana makes the saved objects: the three primary panels of the overview, with the same titles, a filter by region, tenant
// and channel type, and the raw events behind them.
func kibana(a asked) ([]byte, error) {
	objects := []savedObject{dataView(windowsView, "logs-ccaas.windows-*"), dataView(eventsView, "logs-ccaas.events-*")}
	var on []placed
	for n, panel := range []struct {
		name, field, unit, look string
		width                   int
	}{
		{"active_connections", "fields.active_connections", "number", "line", 24},
		{"messages_per_second", "fields.messages_per_second", "number", "bar", 24},
		{"payload_throughput", "fields.payload_bytes_total", "bytes", "gauge", 12},
	} {
		object := visualization("ccaas-kibana-"+panel.name, a.panel(panel.name).Title, panel.field, panel.unit, panel.look)
		objects = append(objects, object)
		on = append(on, placed{object: object, x: n % 2 * 24, y: n / 2 * 14, width: panel.width, drill: panel.look != "gauge"})
	}
	all := savedSearch(kibanaEvents+"-list", "Raw events", "")
	dropped := savedSearch(kibanaDropped, "Dropped connections", "event.action: \"connection.close\" and ccaas.close.abnormal: true")
	objects = append(objects, all, dropped)
	on = append(on, placed{object: dropped, x: 12, y: 14, width: 36})
	objects = append(objects,
		kibanaDashboard(kibanaEvents, "Contact centre: raw events", "The events of 24 hours, as they were received.", []placed{{object: all, width: 48}}),
		kibanaDashboard(kibanaOverview, "Contact centre: overview", "Connections, messages and bytes of the contact centre's WebSockets. A click into a panel leads to the raw events.", on))
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.SetEscapeHTML(false)
	for _, object := range objects {
		if err := lines.Encode(object); err != nil {
			return nil, fmt.Errorf("%s: %w", object.ID, err)
		}
	}
	return text.Bytes(), nil
}

func dataView(id, pattern string) savedObject {
	return savedObject{
		ID: id, Type: "index-pattern", CoreVersion: kibanaVersion, TypeVersion: "8.0.0", References: []reference{},
		Attributes: map[string]any{"title": pattern, "name": pattern, "timeFieldName": "@timestamp"},
	}
}

// visualization is one of the visual builder (TSVB). The documents of a moment are the windows of all series, so the sum of a field over
// the number of moments is the value of a window, also where a point stands for several.
func visualization(id, title, field, unit, look string) savedObject {
	series := map[string]any{
		"id": id + "-series", "color": "#54B399", "split_mode": "terms", "terms_field": "region", "terms_size": "50",
		"metrics": []any{
			map[string]any{"id": "sum", "type": "sum", "field": field},
			map[string]any{"id": "windows", "type": "cardinality", "field": "@timestamp"},
			map[string]any{
				"id": "per_window", "type": "math", "script": "params.sum / params.windows",
				"variables": []any{
					map[string]any{"id": "variable-sum", "name": "sum", "field": "sum"},
					map[string]any{"id": "variable-windows", "name": "windows", "field": "windows"},
				},
			},
		},
		"separate_axis": 0, "axis_position": "right", "formatter": unit, "chart_type": look, "line_width": 1, "point_size": 0, "fill": 0.1,
		"stacked": "none", "label": "", "time_range_mode": "entire_time_range",
	}
	params := map[string]any{
		"id": id + "-panel", "type": "timeseries", "series": []any{series}, "time_field": "@timestamp", "use_kibana_indexes": true,
		"index_pattern_ref_name": "metrics_0_index_pattern", "interval": ">=10s", "axis_position": "left", "axis_formatter": "number",
		"axis_scale": "normal", "axis_min": "0", "show_legend": 1, "show_grid": 1, "tooltip_mode": "show_all", "drop_last_bucket": 0,
		"isModelInvalid": false, "time_range_mode": "entire_time_range",
	}
	switch look {
	case "bar":
		series["stacked"], series["fill"] = "stacked", 0.8
	case "gauge":
		series["chart_type"], series["split_mode"] = "line", "everything"
		delete(series, "terms_field")
		delete(series, "terms_size")
		params["type"], params["time_range_mode"], series["time_range_mode"] = "gauge", "last_value", "last_value"
		params["gauge_width"], params["gauge_inner_width"], params["gauge_style"] = 10, 10, "half"
		params["gauge_color_rules"] = []any{map[string]any{"id": id + "-color", "value": 0, "gauge": "#6092C0", "operator": "gte"}}
	}
	return savedObject{
		ID: id, Type: "visualization", CoreVersion: kibanaVersion, TypeVersion: "8.5.0",
		References: []reference{{windowsView, "metrics_0_index_pattern", "index-pattern"}},
		Attributes: map[string]any{
			"title": title, "description": "", "version": 1, "uiStateJSON": "{}",
			"visState":              compact(map[string]any{"title": title, "type": "metrics", "aggs": []any{}, "params": params}),
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": compact(source(""))},
		},
	}
}

func source(query string) map[string]any {
	return map[string]any{"query": map[string]any{"language": "kuery", "query": query}, "filter": []any{}}
}

// savedSearch is a list of raw events, newest first.
func savedSearch(id, title, query string) savedObject {
	from := source(query)
	from["indexRefName"] = "kibanaSavedObjectMeta.searchSourceJSON.index"
	return savedObject{
		ID: id, Type: "search", CoreVersion: kibanaVersion, TypeVersion: "8.0.0",
		References: []reference{{eventsView, "kibanaSavedObjectMeta.searchSourceJSON.index", "index-pattern"}},
		Attributes: map[string]any{
			"title": title, "description": "", "version": 1, "hits": 0, "sort": []any{[]string{"@timestamp", "desc"}},
			"columns":               []string{"event.action", "region", "tenant_id", "channel_type", "ccaas.channel.id", "ccaas.close.code", "ccaas.close.reason"},
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": compact(from)},
		},
	}
}

// placed is a panel on a grid of 48 columns.
type placed struct {
	object      savedObject
	x, y, width int
	drill       bool // a click leads to the raw events
}

func kibanaDashboard(id, title, description string, on []placed) savedObject {
	var panels []any
	references := []reference{}
	for n, panel := range on {
		index := strconv.Itoa(n + 1)
		embedded := map[string]any{"enhancements": map[string]any{}}
		if panel.drill {
			embedded["enhancements"] = map[string]any{"dynamicActions": map[string]any{"events": []any{map[string]any{
				"eventId": "events-" + index, "triggers": []string{"FILTER_TRIGGER"},
				"action": map[string]any{
					"name": "Raw events", "factoryId": "DASHBOARD_TO_DASHBOARD_DRILLDOWN",
					"config": map[string]any{"useCurrentFilters": true, "useCurrentDateRange": true, "openInNewTab": false},
				},
			}}}}
			references = append(references, reference{kibanaEvents, index + ":drilldown:DASHBOARD_TO_DASHBOARD_DRILLDOWN:events-" + index + ":dashboardId", "dashboard"})
		}
		panels = append(panels, map[string]any{
			"version": kibanaVersion, "type": panel.object.Type, "panelIndex": index, "panelRefName": "panel_" + index, "embeddableConfig": embedded,
			"gridData": map[string]any{"x": panel.x, "y": panel.y, "w": panel.width, "h": 14, "i": index},
		})
		references = append(references, reference{panel.object.ID, index + ":panel_" + index, panel.object.Type})
	}
	controls := map[string]any{}
	for n, control := range []struct{ field, title string }{{"region", "Region"}, {"tenant_id", "Tenant"}, {"channel_type", "Channel type"}} {
		controls[control.field] = map[string]any{
			"type": "optionsListControl", "order": n, "width": "medium", "grow": true,
			"explicitInput": map[string]any{"id": control.field, "fieldName": control.field, "title": control.title, "enhancements": map[string]any{}},
		}
		references = append(references, reference{eventsView, "controlGroup_" + control.field + ":optionsListDataView", "index-pattern"})
	}
	return savedObject{
		ID: id, Type: "dashboard", CoreVersion: kibanaVersion, TypeVersion: "8.9.0", References: references,
		Attributes: map[string]any{
			"title": title, "description": description, "version": 1, "hits": 0,
			"timeRestore": true, "timeFrom": "now-1h", "timeTo": "now",
			"refreshInterval": map[string]any{"pause": false, "value": 10_000},
			"panelsJSON":      compact(panels), "optionsJSON": compact(map[string]any{"useMargins": true, "syncColors": true, "syncCursor": true, "syncTooltips": false, "hidePanelTitles": false}),
			"kibanaSavedObjectMeta": map[string]any{"searchSourceJSON": compact(source(""))},
			"controlGroupInput": map[string]any{
				"chainingSystem": "HIERARCHICAL", "controlStyle": "oneLine", "panelsJSON": compact(controls),
				"ignoreParentSettingsJSON": compact(map[string]any{"ignoreFilters": false, "ignoreQuery": false, "ignoreTimerange": false, "ignoreValidations": false}),
			},
		},
	}
}

// compact is JSON in a text, as Kibana has it in some attributes.
func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // maps, lists and texts of this file
	}
	return string(text)
}
