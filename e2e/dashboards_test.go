// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	grafana "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	sdk "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// points are the times at which an expression has a value, by the series' labels,
// asked for as a panel does: in steps of a window, from multiples of one.
func (p prometheus) points(expression string, from, to time.Time) (map[string][]time.Time, error) {
	const step = 9
	_, body, err := get(fmt.Sprintf("%s/api/v1/query_range?query=%s&start=%d&end=%d&step=%d", p.url, url.QueryEscape(expression),
		from.Unix()/step*step, to.Unix()/step*step, step))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", body, err)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	points := map[string][]time.Time{}
	for _, series := range answer.Data.Result {
		for _, value := range series.Values {
			if value[1] != "NaN" {
				name := fmt.Sprint(series.Metric)
				points[name] = append(points[name], time.Unix(int64(value[0].(float64)), 0))
			}
		}
	}
	return points, nil
}

// asked is an expression of a dashboard, and where it stands.
type asked struct{ where, expression string }

func dashboards(t *testing.T) map[string]grafana.Dashboard {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	files := matching(t, "../dashboards/*.json")
	all := map[string]grafana.Dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var decoded grafana.Dashboard
		require.NoError(t, decoded.UnmarshalJSONStrict(text), file)
		all[filepath.Base(file)] = decoded
	}
	return all
}

// questions are all expressions of all dashboards, with what Grafana fills in.
func questions(t *testing.T, by string) []asked {
	t.Helper()
	fill := strings.NewReplacer("${by:csv}", by, "${window_step}", "9000", "${window_fresh}", "20000", "$__interval", "9s", "$__rate_interval", "60s", "$__range", "5m",
		"$tenant_id", ".*", "$region", ".*", "$channel_type", ".*", "$instance", ".*", "$rule", ".*")
	var all []asked
	for file, decoded := range dashboards(t) {
		for _, each := range decoded.Panels {
			if each.Panel == nil {
				continue
			}
			for _, target := range each.Panel.Targets {
				if query, is := target.(*sdk.Dataquery); is {
					all = append(all, asked{file + ": " + *each.Panel.Title + " " + *query.RefId, fill.Replace(query.Expr)})
				}
			}
		}
		for _, annotation := range decoded.Annotations.List {
			all = append(all, asked{file + ": " + annotation.Name, fill.Replace(*annotation.Expr)})
		}
		for _, variable := range decoded.Templating.List {
			if variable.Query == nil || variable.Query.String == nil {
				continue
			}
			if expression, is := strings.CutPrefix(*variable.Query.String, "query_result("); is {
				all = append(all, asked{file + ": " + variable.Name, strings.TrimSuffix(expression, ")")})
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// Every query of every dashboard has an answer, whichever way the metrics came.
func TestDashboards(t *testing.T) {
	t.Parallel()
	estate := startEstate(t)
	estate.until(t, `count_over_time(ws_window_complete_ratio[2m]) > 2`)
	estate.until(t, `ws_alert_firing{rule="ws_active_connections_high"} == 1`)
	estate.until(t, `ws_alert_firing{rule="ws_clock_skew"} == 1`)

	estate.archive.Store(http.StatusServiceUnavailable)
	time.Sleep(5 * time.Second) // both batches are full after two, and reading hangs
	estate.archive.Store(http.StatusOK)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_backpressure_time(_seconds)?(_total)?"} > 0`)
	estate.archive.Store(http.StatusBadRequest)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_dropped_records(_seconds)?(_total)?"} > 0`)
	estate.archive.Store(http.StatusOK)
	estate.trouble(t, "/trouble/burst", "")
	estate.trouble(t, "/trouble", `{"upgrade-fail":"503:2"}`)
	estate.trouble(t, "/trouble/reset", "")
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_connect_failures(_seconds)?(_total)?"} > 0`)
	estate.until(t, `min_over_time(ws_window_complete_ratio[5m]) == 0`)
	estate.until(t, `max_over_time(ws_alert_firing{rule="ws_connection_drop_rate"}[5m]) == 1`)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_connections(_seconds)?(_total)?"} == 2`) // of both receivers

	estate.until(t, `max_over_time(ws_events_reconstructed_total[5m]) > 0`)
	estate.until(t, `count_over_time(ws_connections_unreconciled[5m]) > 1 and count_over_time(ws_connections_stuck[5m]) > 1`)

	estate.ancient(t)
	estate.until(t, `{__name__=~"otelcol_dashboard_refused_samples(_total)?"}`)
	estate.until(t, `{__name__=~"otelcol_ccaas_ws_rotations(_total)?"}`)
	estate.until(t, `{__name__=~"otelcol_webhook_dead_letters(_seconds)?(_total)?"}`)
	estate.until(t, `count_over_time({__name__=~"otelcol_ccaas_ws_connect_failures(_seconds)?(_total)?"}[1m]) > 2`)

	// The rules of the stores themselves see the same. The collector's own has none.
	estate.until(t, `tenant_region_channel:ws_active_connections:last`, "embedded")
	estate.until(t, `last_over_time(ALERTS{alertname="ws_clock_skew", alertstate="firing"}[5m])`, "embedded")
	estate.until(t, `last_over_time(ALERTS{alertname="ws_connection_drop_rate", alertstate="firing"}[5m])`, "embedded")

	estate.until(t, `histogram_count(sum(rate(ws_session_first_reply_seconds[1m]))) > 0`, "scraping")
	estate.until(t, `ws_connections_reopened_total > 0`)

	now := time.Now().Add(9 * time.Second) // the step that we are in is shown, too
	for name, store := range estate.stores {
		for _, by := range []string{"region", "region,tenant_id,channel_type"} {
			for _, question := range questions(t, by) {
				if name == "scraping" && strings.Contains(question.expression, "histogram_quantile") {
					continue // the text that is scraped has no native histograms
				}
				points, err := store.points(question.expression, estate.began, now)
				require.NoError(t, err, question.where)
				assert.NotEmpty(t, points, "by %s: %s: %s", name, question.where, question.expression)
			}
		}
		estate.choices(t, name)
	}
	estate.dies(t)
}

// choices says that every variable has values to choose from.
func (e *estate) choices(t *testing.T, store string) {
	t.Helper()
	anything := strings.NewReplacer("$tenant_id", ".*", "$region", ".*")
	for file, decoded := range dashboards(t) {
		for _, variable := range decoded.Templating.List {
			if variable.Query == nil || variable.Query.String == nil || !strings.HasPrefix(*variable.Query.String, "label_values(") {
				continue
			}
			inside := strings.TrimSuffix(strings.TrimPrefix(*variable.Query.String, "label_values("), ")")
			comma := strings.LastIndex(inside, ", ")
			_, body, err := get(fmt.Sprintf("%s/api/v1/label/%s/values?match[]=%s", e.stores[store].url, inside[comma+2:],
				url.QueryEscape(anything.Replace(inside[:comma]))))
			require.NoError(t, err)
			var answer struct{ Data []string }
			require.NoError(t, json.Unmarshal([]byte(body), &answer))
			assert.NotEmpty(t, answer.Data, "by %s: %s: %s: %s", store, file, variable.Name, body)
		}
	}
}

// dies ends the collector and says that no line goes on: a dead stream is reported
// apart from a calm one, and the bands name it.
func (e *estate) dies(t *testing.T) {
	t.Helper()
	e.collector.stop(t)
	delete(e.stores, "embedded") // with it
	for name, store := range e.stores {
		eventually(t, func() error {
			samples, err := store.query(`last_over_time(ws_window_complete_ratio[40s])`)
			if err == nil && len(samples) > 0 {
				err = fmt.Errorf("by %s: still there", name)
			}
			return err
		})
		now := time.Now()
		for _, question := range questions(t, "region") {
			file, title, _ := strings.Cut(question.where, ": ")
			points, err := store.points(question.expression, now.Add(-9*time.Second), now)
			require.NoError(t, err)
			switch {
			case strings.HasPrefix(title, "Can the stream be trusted?"):
				assert.NotEmpty(t, points, "by %s: nobody says that there are no windows", name)
			case strings.HasPrefix(title, "window_"): // the geometry of windows, which the other queries go by
			case file == "overview.json" && !strings.HasSuffix(title, "Payload throughput B"): // the peak is of the past
				assert.Empty(t, points, "by %s: %s goes on: %s", name, question.where, question.expression)
			}
		}
	}
}
