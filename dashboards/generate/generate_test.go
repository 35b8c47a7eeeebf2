// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

func TestMain(m *testing.M) {
	plugins.RegisterDefaultPlugins()
	os.Exit(m.Run())
}

// forEach runs a check on every dashboard as it is committed.
func forEach(t *testing.T, check func(*testing.T, dashboard.Dashboard, []byte)) {
	t.Helper()
	files, err := filepath.Glob("../*.json")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var decoded dashboard.Dashboard
			require.NoError(t, decoded.UnmarshalJSONStrict(text))
			check(t, decoded, text)
		})
	}
}

func panels(decoded dashboard.Dashboard) []*dashboard.Panel {
	var all []*dashboard.Panel
	for _, each := range decoded.Panels {
		if each.Panel != nil {
			all = append(all, each.Panel)
		}
	}
	return all
}

func TestCommittedIsWhatIsGenerated(t *testing.T) {
	t.Parallel()
	files, err := generate()
	require.NoError(t, err)
	for name, text := range files {
		committed, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(text, committed), "%s: run make generate", name)
	}
}

// The configurations have the shipped rules, each of which has a twin among the Prometheus rules.
func TestEdgeRules(t *testing.T) {
	t.Parallel()
	for _, name := range edgeConfigs {
		config, err := os.ReadFile(filepath.Join("..", "..", name))
		require.NoError(t, err)
		generated, err := promql.EdgeConfig(config)
		require.NoError(t, err)
		assert.Equal(t, string(generated), string(config), name)
	}
	text, err := promql.Read("edge.yaml")
	require.NoError(t, err)
	var edge []struct{ Name string }
	require.NoError(t, yaml.Unmarshal(text, &edge))
	rules, err := promql.Rules(9 * time.Second)
	require.NoError(t, err)
	require.NotEmpty(t, edge)
	for _, rule := range edge {
		assert.Contains(t, string(rules), "- alert: "+rule.Name+"\n")
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, text []byte) {
		again, err := encode(decoded)
		require.NoError(t, err)
		// A row that is open has an empty list, which is decoded to none.
		again = bytes.ReplaceAll(again, []byte(`"panels": null`), []byte(`"panels": []`))
		assert.Equal(t, strings.Split(string(text), "\n"), strings.Split(string(again), "\n"))
	})
}

// What strict decoding lets pass: Grafana shows an unknown panel type as an
// error, an unknown unit as text, and ignores an unknown key.
var (
	panelTypes = []string{"timeseries", "barchart", "gauge", "bargauge", "state-timeline", "table", "logs"}
	unitNames  = []string{"short", "percent", "percentunit", "mps", "cps", "Bps", "bytes", "ms", "s"}
	fieldKeys  = []string{"unit", "decimals", "min", "max", "mappings", "thresholds", "color", "links", "noValue", "custom"}
	customKeys = []string{
		"lineWidth", "fillOpacity", "showPoints", "spanNulls", "insertNulls", "thresholdsStyle", "axisSoftMax", "lineStyle",
	}
	overrideKeys = []string{"custom.lineStyle", "custom.fillOpacity", "color"}
)

func TestOnlyWhatGrafanaKnows(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		for _, panel := range panels(decoded) {
			assert.Contains(t, panelTypes, panel.Type, *panel.Title)
			if panel.FieldConfig == nil {
				continue
			}
			if unit := panel.FieldConfig.Defaults.Unit; unit != nil {
				assert.Contains(t, unitNames, *unit, *panel.Title)
			}
			assert.Subset(t, fieldKeys, keys(t, panel.FieldConfig.Defaults), *panel.Title)
			assert.Subset(t, customKeys, keys(t, panel.FieldConfig.Defaults.Custom), *panel.Title)
			for _, override := range panel.FieldConfig.Overrides {
				assert.Equal(t, "byFrameRefID", override.Matcher.Id, *panel.Title)
				for _, property := range override.Properties {
					assert.Contains(t, overrideKeys, property.Id, *panel.Title)
				}
			}
		}
	})
}

func keys(t *testing.T, value any) []string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(text, &fields))
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	return names
}

func TestEveryPanelSaysWhatItIs(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		assert.NotEmpty(t, *decoded.Description)
		for _, panel := range panels(decoded) {
			require.NotNil(t, panel.Title)
			require.NotNil(t, panel.Description, *panel.Title)
			assert.Greater(t, len(*panel.Description), 30, *panel.Title)
			require.NotNil(t, panel.Datasource, *panel.Title)
			assert.Contains(t, []string{"${datasource}", "${loki}"}, *panel.Datasource.Uid, *panel.Title)
			assert.NotEmpty(t, panel.Targets, *panel.Title)
			if *panel.Datasource.Uid == "${datasource}" {
				assert.NotNil(t, panel.Interval, "%s: nothing shorter than a window", *panel.Title)
			}
		}
		for _, variable := range decoded.Templating.List {
			assert.NotNil(t, variable.Label, variable.Name)
		}
	})
}

func TestPanelsFillTheirRows(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		width := map[uint32]uint32{}
		for _, panel := range panels(decoded) {
			width[panel.GridPos.Y] += panel.GridPos.W
		}
		for y, sum := range width {
			assert.Equal(t, uint32(24), sum, "panels at y=%d", y)
		}
	})
}

// Windows come every nine seconds: asking more often costs and gains nothing.
func TestRefresh(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		assert.Equal(t, "10s", *decoded.Refresh)
		assert.Equal(t, "2s", *decoded.Timepicker.NowDelay)
		require.NotEmpty(t, decoded.Timepicker.RefreshIntervals)
		for _, interval := range decoded.Timepicker.RefreshIntervals {
			every, err := time.ParseDuration(interval)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, every, 10*time.Second)
		}
	})
}

// The panels that the users know by their types.
func TestPrimaryPanels(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../overview.json")
	require.NoError(t, err)
	var decoded dashboard.Dashboard
	require.NoError(t, decoded.UnmarshalJSONStrict(text))
	for i, want := range []struct{ title, kind, metric string }{
		{"Active connections", "timeseries", "ws_active_connections"},
		{"Messages per second", "barchart", "ws_messages_per_second"},
		{"Payload throughput", "gauge", "ws_payload_throughput_bytes_per_second"},
	} {
		panel := panels(decoded)[i]
		assert.Equal(t, want.title, *panel.Title)
		assert.Equal(t, want.kind, panel.Type)
		assert.Contains(t, panel.Targets[0].(*prometheus.Dataquery).Expr, want.metric)
	}
}

// A hole in a series stays a hole.
func TestGapsStayVisible(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, _ dashboard.Dashboard, text []byte) {
		var raw struct {
			Panels []struct {
				Title, Type string
				FieldConfig struct {
					Defaults struct{ Custom struct{ SpanNulls any } }
				}
			}
		}
		require.NoError(t, json.Unmarshal(text, &raw))
		for _, panel := range raw.Panels {
			if panel.Type == "timeseries" || panel.Type == "state-timeline" {
				assert.Equal(t, false, panel.FieldConfig.Defaults.Custom.SpanNulls, panel.Title)
			}
		}
	})
}

func TestLinks(t *testing.T) {
	t.Parallel()
	known := []string{overviewUID, sessionsUID, streamHealthUID, alertsUID}
	forEach(t, func(t *testing.T, decoded dashboard.Dashboard, _ []byte) {
		assert.Contains(t, known, *decoded.Uid)
		links := slices.Clone(decoded.Links)
		for _, panel := range panels(decoded) {
			links = append(links, panel.Links...)
			if panel.FieldConfig != nil {
				links = append(links, panel.FieldConfig.Defaults.Links...)
			}
		}
		dashboards, events := map[string]bool{}, 0
		for _, link := range links {
			if uid, found := strings.CutPrefix(*link.Url, "/d/"); found {
				assert.Contains(t, known, uid)
				dashboards[uid] = true
			} else {
				assert.True(t, strings.HasPrefix(*link.Url, "/explore?"), *link.Url)
				assert.Contains(t, *link.Url, "${loki}")
				events++
			}
		}
		assert.Len(t, dashboards, 3, "to all others")
		assert.Greater(t, events, 1, "to raw events")
	})
}

// Every address of Explore holds a pane that Grafana can read.
func TestExplore(t *testing.T) {
	t.Parallel()
	query := `{service_name=~".+"} |~ "a\\.b" | x != ""`
	pane := unescape(t, explore(query))
	var panes map[string]struct {
		Datasource string
		Queries    []struct{ Expr string }
		Range      struct{ From, To string }
	}
	require.NoError(t, json.Unmarshal([]byte(pane), &panes))
	assert.Equal(t, query, panes["raw"].Queries[0].Expr)
	assert.Equal(t, "${loki}", panes["raw"].Datasource)
	assert.Equal(t, "${__from}", panes["raw"].Range.From)
}

func TestProvisioning(t *testing.T) {
	t.Parallel()
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	read(t, "../provisioning/dashboards.yaml", &dashboards)
	assert.Equal(t, 1, dashboards.APIVersion)
	require.Len(t, dashboards.Providers, 1)
	assert.Equal(t, "file", dashboards.Providers[0].Type)
	assert.NotEmpty(t, dashboards.Providers[0].Options.Path)

	var datasources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, UID, URL string
			JSONData             map[string]any `yaml:"jsonData"`
		}
	}
	read(t, "../provisioning/datasources.yaml", &datasources)
	assert.Equal(t, 1, datasources.APIVersion)
	types := map[string]map[string]any{}
	for _, source := range datasources.Datasources {
		types[source.Type] = source.JSONData
		assert.NotEmpty(t, source.UID, source.Name)
		assert.NotEmpty(t, source.URL, source.Name)
	}
	require.Contains(t, types, "prometheus")
	require.Contains(t, types, "loki")
	assert.NotContains(t, types["prometheus"], "timeInterval", "the step of the windows is a variable of each dashboard")
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into))
}
