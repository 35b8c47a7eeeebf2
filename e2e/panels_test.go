// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The queries of dashboards that no Grafana and no Kibana shows here, as those would ask them of the store.

// panelQueries are the queries of a dashboard by the title of their panel.
func panelQueries(t testing.TB, file, key string) (panels, variables map[string]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var d struct {
		Panels []struct {
			Title   string           `json:"title"`
			Targets []map[string]any `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Name  string `json:"name"`
				Type  string `json:"type"`
				Query any    `json:"query"`
			} `json:"list"`
		} `json:"templating"`
	}
	require.NoError(t, json.Unmarshal(text, &d))
	panels, variables = map[string]string{}, map[string]string{}
	for _, panel := range d.Panels {
		require.Len(t, panel.Targets, 1, panel.Title)
		panels[panel.Title] = panel.Targets[0][key].(string)
	}
	for _, variable := range d.Templating.List {
		if variable.Type == "query" {
			variables[variable.Name] = variable.Query.(string)
		}
	}
	require.Len(t, panels, 4)
	require.Len(t, variables, 3)
	return panels, variables
}

// Titles of the panels.
const (
	connectionsPanel = "Active connections"
	throughputPanel  = "Payload throughput"
)

// regionsOf are the regions with windows in a selection of regions.
var (
	everyRegion = []string{"us-east-1", "eu-west-1"}
	someRegions = map[string][]string{"all": everyRegion, "one": {"eu-west-1"}, "none": {"ap-south-1"}}
)

var timeGroup = regexp.MustCompile(`\$__timeGroup\((\w+), \$__interval\)`)

// sql replaces Grafana's macros and variables.
func (r recording) sql(query string, regions []string) string {
	query = timeGroup.ReplaceAllString(query, "to_timestamp(floor(extract(epoch FROM $1) / 10) * 10)")
	return strings.NewReplacer(
		"$__timeFilter(window_timestamp)", fmt.Sprintf("window_timestamp BETWEEN '%s' AND '%s'", r.begin().UTC().Format(time.RFC3339Nano), r.until().UTC().Format(time.RFC3339Nano)),
		"${region:sqlstring}", "'"+strings.Join(regions, "','")+"'",
		"${tenant_id:sqlstring}", "'acme_corp','globex'", "${channel_type:sqlstring}", "'webmessaging','voice'",
		"${__to}", strconv.FormatInt(r.until().UnixMilli(), 10),
	).Replace(query)
}

func (r recording) begin() time.Time { return r.end.Add(-recordingLength) }
func (r recording) until() time.Time { return r.end.Add(10 * time.Second) }

func (r recording) checkSQLPanels(t *testing.T, server *postgres) {
	t.Helper()
	panels, variables := panelQueries(t, "../dashboards/timescaledb/overview.json", "rawSql")
	for name, query := range variables {
		assert.NotEmpty(t, mustQuery[string](t, server, r.sql(query, nil)), name)
	}
	for selection, regions := range someRegions {
		for title, query := range panels {
			query = r.sql(query, regions)
			if title == throughputPanel {
				now := mustQuery[*float64](t, server, query)
				require.Len(t, now, 1)
				assert.Equal(t, selection != "none", now[0] != nil, "%s, %s", title, selection)
				continue
			}
			found := mustQuery[string](t, server, "SELECT DISTINCT metric FROM ("+query+") AS panel WHERE value IS NOT NULL")
			if selection == "none" {
				regions = nil
			}
			assert.ElementsMatch(t, regions, found, "%s, %s", title, selection)
		}
	}
	// A line is the sum over the series of a region: with no more than one series, that series.
	lines := mustQuery[float64](t, server, "SELECT max(value) FROM ("+r.sql(panels[connectionsPanel], []string{"eu-west-1"})+") AS panel")
	highest := mustQuery[float64](t, server, "SELECT max(value) FROM ws_metrics WHERE metric_name = 'ws.active_connections' AND region = 'eu-west-1'")
	assert.Equal(t, highest, lines)
}

func (r recording) checkInfluxDBPanels(t *testing.T, server *influxdb) {
	t.Helper()
	panels, variables := panelQueries(t, "../dashboards/influxdb/overview.json", "query")
	for name, query := range variables {
		assert.Contains(t, query, `"`+name+`"`)
		status, body, err := get(server.url + "/query?db=ccaas&q=" + strings.NewReplacer(" ", "%20", `"`, "%22", "=", "%3D").Replace(query))
		require.NoError(t, err)
		assert.Equal(t, 200, status)
		assert.Contains(t, body, `["`+name+`",`)
	}
	for selection, regions := range someRegions {
		pattern := "(" + strings.Join(regions, "|") + ")"
		if selection == "all" {
			pattern = ".*"
		}
		for title, query := range panels {
			series, err := server.query("ccaas", strings.NewReplacer(
				"${region:regex}", pattern, "${tenant_id:regex}", ".*", "${channel_type:regex}", ".*", "$__interval", "10s",
				"$timeFilter", fmt.Sprintf("time >= %dms and time <= %dms", r.begin().UnixMilli(), r.until().UnixMilli()), "${__to}", strconv.FormatInt(r.until().UnixMilli(), 10),
			).Replace(query))
			require.NoError(t, err, query)
			var found []string
			for _, s := range series {
				found = append(found, s.Tags["region"])
				assert.NotEmpty(t, s.Values)
			}
			switch {
			case selection == "none":
				assert.Empty(t, found, "%s, %s", title, selection)
			case title == throughputPanel:
				assert.Len(t, found, 1, "%s, %s", title, selection)
			default:
				assert.ElementsMatch(t, regions, found, "%s, %s", title, selection)
			}
		}
	}
}

// kibanaObject is a line of deploy/elastic/kibana.ndjson.
type kibanaObject struct {
	ID, Type   string
	Attributes struct {
		Title    string
		VisState string `json:"visState"`
		Columns  []string
		Meta     struct {
			SearchSource string `json:"searchSourceJSON"`
		} `json:"kibanaSavedObjectMeta"`
	}
	References []struct{ ID, Name, Type string }
}

func kibanaObjects(t testing.TB) map[string]kibanaObject {
	t.Helper()
	text, err := os.ReadFile("../deploy/elastic/kibana.ndjson")
	require.NoError(t, err)
	objects := map[string]kibanaObject{}
	for line := range strings.Lines(string(text)) {
		var object kibanaObject
		require.NoError(t, json.Unmarshal([]byte(line), &object))
		objects[object.ID] = object
	}
	return objects
}

// tsvb is what the visual builder asks.
type tsvb struct {
	Params struct {
		TimeField string `json:"time_field"`
		Series    []struct {
			SplitMode string `json:"split_mode"`
			Terms     string `json:"terms_field"`
			Metrics   []struct{ ID, Type, Field string }
		}
	}
}

// checkKibanaPanels asks OpenSearch what the panels ask, with the filters of the dashboard's controls.
func (r recording) checkKibanaPanels(t *testing.T, url string) {
	t.Helper()
	objects := kibanaObjects(t)
	asked := 0
	for _, object := range objects {
		view := ""
		for _, reference := range object.References {
			if reference.Type == "index-pattern" && object.Type != "dashboard" {
				view = objects[reference.ID].Attributes.Title
			}
		}
		switch object.Type {
		case "visualization":
			r.checkVisualization(t, url+"/"+view, object)
		case "search":
			r.checkSavedSearch(t, url+"/"+view, object)
		default:
			continue
		}
		asked++
	}
	assert.Equal(t, 5, asked)
}

func (r recording) filters(region string) string {
	return fmt.Sprintf(`{"range":{"@timestamp":{"gte":%d,"lte":%d,"format":"epoch_millis"}}},{"term":{"region":%q}}`, r.begin().UnixMilli(), r.until().UnixMilli(), region)
}

func (r recording) checkVisualization(t *testing.T, address string, object kibanaObject) {
	t.Helper()
	var panel tsvb
	require.NoError(t, json.Unmarshal([]byte(object.Attributes.VisState), &panel))
	require.Len(t, panel.Params.Series, 1)
	series, metrics := panel.Params.Series[0], []string{}
	for _, metric := range series.Metrics {
		if metric.Type != "math" {
			metrics = append(metrics, fmt.Sprintf(`%q:{%q:{"field":%q}}`, metric.ID, metric.Type, metric.Field))
		}
	}
	histogram := fmt.Sprintf(`"points":{"date_histogram":{"field":%q,"fixed_interval":"10s","min_doc_count":1},"aggs":{%s}}`, panel.Params.TimeField, strings.Join(metrics, ","))
	split := `"filter":{"match_all":{}}`
	if series.SplitMode == "terms" {
		split = fmt.Sprintf(`"terms":{"field":%q}`, series.Terms)
	}
	for region, want := range map[string]bool{"us-east-1": true, "eu-west-1": true, "ap-south-1": false} {
		var found struct {
			Aggregations struct{ Series json.RawMessage }
		}
		require.NoError(t, openSearchQuery(address+"/_search?size=0",
			fmt.Sprintf(`{"query":{"bool":{"filter":[%s]}},"aggs":{"series":{%s,"aggs":{%s}}}}`, r.filters(region), split, histogram), &found))
		type points struct {
			Key    string
			Points struct {
				Buckets []struct{ Sum, Windows struct{ Value float64 } }
			}
		}
		var all []points
		if series.SplitMode == "terms" {
			var buckets struct{ Buckets []points }
			require.NoError(t, json.Unmarshal(found.Aggregations.Series, &buckets))
			all = buckets.Buckets
		} else {
			all = make([]points, 1)
			require.NoError(t, json.Unmarshal(found.Aggregations.Series, &all[0]))
		}
		some := 0
		for _, line := range all {
			if series.SplitMode == "terms" {
				assert.Equal(t, region, line.Key, object.Attributes.Title)
			}
			for _, point := range line.Points.Buckets {
				assert.Positive(t, point.Windows.Value)
				assert.Positive(t, point.Sum.Value, object.Attributes.Title)
				some++
			}
		}
		assert.Equal(t, want, some > 0, "%s in %s", object.Attributes.Title, region)
	}
}

func (r recording) checkSavedSearch(t *testing.T, address string, object kibanaObject) {
	t.Helper()
	var source struct {
		Query struct{ Query string }
	}
	require.NoError(t, json.Unmarshal([]byte(object.Attributes.Meta.SearchSource), &source))
	query := `{"match_all":{}}`
	if source.Query.Query != "" { // this much of Kibana's language is that of a query string
		text, err := json.Marshal(strings.ReplaceAll(source.Query.Query, " and ", " AND "))
		require.NoError(t, err)
		query = fmt.Sprintf(`{"query_string":{"query":%s}}`, text)
	}
	for series, counts := range r.counts() {
		if series.Region != "eu-west-1" {
			continue // the one region with one series
		}
		var found struct {
			Hits struct {
				Total struct{ Value int64 }
				Hits  []struct {
					Fields map[string][]any
				}
			}
		}
		fields, err := json.Marshal(object.Attributes.Columns)
		require.NoError(t, err)
		want := everything(counts)
		if source.Query.Query != "" {
			want = counts.ConnectionsDropped
		}
		eventually(t, func() error { // by another exporter than the windows
			if _, _, err := get(address + "/_refresh"); err != nil {
				return err
			}
			err := openSearchQuery(address+"/_search", fmt.Sprintf(`{"size":1,"track_total_hits":true,"_source":false,"fields":%s,"query":{"bool":{"must":[%s],"filter":[%s]}}}`,
				fields, query, r.filters(series.Region)), &found)
			if err == nil && found.Hits.Total.Value != want {
				err = fmt.Errorf("%s has %d hits, want %d", object.Attributes.Title, found.Hits.Total.Value, want)
			}
			return err
		})
		if source.Query.Query != "" {
			require.NotEmpty(t, found.Hits.Hits)
			for _, column := range object.Attributes.Columns {
				if column != "ccaas.close.reason" { // which the recording has not
					assert.Contains(t, found.Hits.Hits[0].Fields, column)
				}
			}
		}
	}
}
