// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// primaryPanels are the types of the three primary panels, by title.
var primaryPanels = map[string]string{"Active connections": "timeseries", "Messages per second": "barchart", "Payload throughput": "gauge"}

func TestStores_OverviewHasThePrimaryPanels(t *testing.T) {
	t.Parallel()
	for _, s := range stores() {
		t.Run(s.folder, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", s.folder, "overview.json"))
			require.NoError(t, err)
			var decoded dashboard.Dashboard
			require.NoError(t, decoded.UnmarshalJSONStrict(text))
			found := map[string]string{}
			for _, panel := range panels(decoded) {
				found[*panel.Title] = panel.Type
				assert.Contains(t, unitNames, *panel.FieldConfig.Defaults.Unit)
				assert.Subset(t, fieldKeys, keys(t, panel.FieldConfig.Defaults))
				assert.NotContains(t, *panel.Description, "usual level", "a store has no baselines")
				require.Len(t, panel.Targets, 1)
				target, err := json.Marshal(panel.Targets[0])
				require.NoError(t, err)
				for _, needed := range []string{"${region:", "${tenant_id:", "${channel_type:", s.plugin} {
					assert.Contains(t, string(target), needed, *panel.Title)
				}
				assert.True(t, strings.Contains(string(target), "timeFilter") || strings.Contains(string(target), "${__to}"), "the time in view")
			}
			for title, kind := range primaryPanels {
				assert.Equal(t, kind, found[title], title)
			}
			assert.Len(t, found, 4)
			assert.Equal(t, "10s", *decoded.Refresh)
		})
	}
}

func TestLibraryPanels_AreThePrimaryPanels(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../library/*.json")
	require.NoError(t, err)
	found := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var e libraryElement
		require.NoError(t, json.Unmarshal(text, &e))
		assert.Equal(t, 1, e.Kind)
		assert.LessOrEqual(t, len(e.UID), 40, "Grafana's limit")
		assert.NotContains(t, e.Model, "id")
		assert.NotContains(t, e.Model, "gridPos")
		model, err := json.Marshal(e.Model)
		require.NoError(t, err)
		var panel dashboard.Panel
		require.NoError(t, panel.UnmarshalJSONStrict(model))
		found[*panel.Title] = panel.Type
	}
	assert.Equal(t, primaryPanels, found)
}

// attributesOf are those that the documentation of Kibana's saved objects names.
var attributesOf = map[string][]string{
	"index-pattern": {"title", "name", "timeFieldName"},
	"visualization": {"title", "description", "version", "uiStateJSON", "visState", "kibanaSavedObjectMeta"},
	"search":        {"title", "description", "version", "hits", "sort", "columns", "kibanaSavedObjectMeta"},
	"dashboard": {
		"title", "description", "version", "hits", "timeRestore", "timeFrom", "timeTo", "refreshInterval", "panelsJSON", "optionsJSON",
		"kibanaSavedObjectMeta", "controlGroupInput",
	},
}

func TestKibana_SavedObjectsAreComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/elastic/kibana.ndjson")
	require.NoError(t, err)
	objects := map[string]savedObject{}
	for line := range strings.Lines(string(text)) {
		var object savedObject
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&object))
		assert.NotContains(t, objects, object.ID)
		objects[object.ID] = object
	}
	looks := map[string]int{}
	for id, object := range objects {
		require.Contains(t, attributesOf, object.Type, id)
		for name, value := range object.Attributes {
			assert.Contains(t, attributesOf[object.Type], name, id)
			if text, isText := value.(string); isText && (strings.HasSuffix(name, "JSON") || name == "visState") {
				assert.True(t, json.Valid([]byte(text)), "%s of %s", name, id)
			}
		}
		names := []string{}
		for _, to := range object.References {
			assert.Equal(t, to.Type, objects[to.ID].Type, "%s refers to %s", id, to.ID)
			assert.NotContains(t, names, to.Name)
			names = append(names, to.Name)
		}
		switch object.Type {
		case "dashboard":
			checkKibanaDashboard(t, object, names)
		case "visualization":
			var state struct {
				Type   string
				Params struct {
					Type    string
					RefName string `json:"index_pattern_ref_name"`
					Series  []map[string]any
				}
			}
			require.NoError(t, json.Unmarshal([]byte(object.Attributes["visState"].(string)), &state))
			assert.Equal(t, "metrics", state.Type)
			assert.Contains(t, names, state.Params.RefName)
			require.Len(t, state.Params.Series, 1)
			looks[state.Params.Type+" "+state.Params.Series[0]["chart_type"].(string)]++
			assert.Contains(t, primaryPanels, object.Attributes["title"])
		case "search":
			assert.Contains(t, object.Attributes["kibanaSavedObjectMeta"].(map[string]any)["searchSourceJSON"], names[0])
		}
	}
	assert.Equal(t, map[string]int{"timeseries line": 1, "timeseries bar": 1, "gauge line": 1}, looks)
}

// checkKibanaDashboard holds panels, controls and drill-downs to their references, and panels to the grid of 48 columns.
func checkKibanaDashboard(t *testing.T, object savedObject, names []string) {
	t.Helper()
	var placed []struct {
		RefName  string `json:"panelRefName"`
		Index    string `json:"panelIndex"`
		Embedded struct {
			Enhancements struct {
				DynamicActions struct {
					Events []struct {
						EventID string `json:"eventId"`
						Action  struct{ FactoryID string }
					}
				} `json:"dynamicActions"`
			}
		} `json:"embeddableConfig"`
		Grid struct{ X, Y, W, H int } `json:"gridData"`
	}
	require.NoError(t, json.Unmarshal([]byte(object.Attributes["panelsJSON"].(string)), &placed))
	taken, drills := map[[2]int]bool{}, 0
	for _, panel := range placed {
		assert.Contains(t, names, panel.Index+":"+panel.RefName)
		assert.LessOrEqual(t, panel.Grid.X+panel.Grid.W, 48)
		for x := panel.Grid.X; x < panel.Grid.X+panel.Grid.W; x++ {
			for y := panel.Grid.Y; y < panel.Grid.Y+panel.Grid.H; y++ {
				assert.False(t, taken[[2]int{x, y}], "two panels at %d, %d", x, y)
				taken[[2]int{x, y}] = true
			}
		}
		for _, event := range panel.Embedded.Enhancements.DynamicActions.Events {
			assert.Contains(t, names, panel.Index+":drilldown:"+event.Action.FactoryID+":"+event.EventID+":dashboardId")
			drills++
		}
	}
	assert.Equal(t, object.ID == kibanaOverview, drills == 2)
	var controls map[string]struct {
		Input struct{ FieldName string } `json:"explicitInput"`
	}
	group := object.Attributes["controlGroupInput"].(map[string]any)
	require.NoError(t, json.Unmarshal([]byte(group["panelsJSON"].(string)), &controls))
	for _, field := range []string{"region", "tenant_id", "channel_type"} {
		assert.Equal(t, field, controls[field].Input.FieldName)
		assert.True(t, slices.Contains(names, "controlGroup_"+field+":optionsListDataView"))
	}
}
