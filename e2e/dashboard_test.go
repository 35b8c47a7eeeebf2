// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// stored is a collector that keeps its own metrics, and what it is connected to. Its
// store speaks Prometheus, and so is asked like one.
type stored struct {
	collector   *process
	environment []string
	dashboard   prometheus // what the embedded store answers
	outside     prometheus // what the same page answers from a Prometheus
	prometheus  prometheus // that Prometheus
	telemetry   string
	state       string
}

func startStored(t testing.TB, platform *sim.Server, state string, environment ...string) *stored {
	t.Helper()
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	dashboard, outside, telemetry := address(), address(), freePort(t)
	s := &stored{
		dashboard:  prometheus{url: "http://" + dashboard},
		outside:    prometheus{url: "http://" + outside},
		prometheus: startPrometheus(t, address()),
		telemetry:  fmt.Sprintf("http://127.0.0.1:%d/metrics", telemetry),
		state:      state,
	}
	s.environment = append([]string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"DASHBOARD=" + dashboard,
		"DASHBOARD_OUTSIDE=" + outside,
		"PROMETHEUS=" + s.prometheus.url,
		"STATE=" + state,
		fmt.Sprintf("TELEMETRY_PORT=%d", telemetry),
	}, environment...)
	s.restart(t)
	return s
}

func (s *stored) restart(t testing.TB) {
	t.Helper()
	s.collector = start(t, "otelcol-ccaas", s.environment, "--config", "testdata/dashboard.yaml")
	eventually(t, func() error {
		code, _, err := get(s.dashboard.url + "/healthz")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("healthz says %d", code)
		}
		return err
	})
}

// What the store has is what the platform sent, by both ways in, and what the same
// page shows of an outside Prometheus is the same again.
func TestDashboardHasWhatThePlatformSent(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce, c.Sessions, c.DropRate = 400, 4_000, true, 150, 10
		c.Tenants = []string{"acme_corp", "globex"}
	})
	s := startStored(t, platform, t.TempDir())
	truth := sent(t, platform)
	eventually(t, func() error { return s.dashboard.disagreement(truth, "") })
	eventually(t, func() error { return s.dashboard.disagreement(truth, "remote_write") })
	eventually(t, func() error { return s.outside.disagreement(truth, "") })

	// A moment that is over for both of them: they agree on it to the last digit.
	at := time.Now().Add(-time.Second).Unix()
	for _, expression := range []string{
		"sum(ws_active_connections)",
		`sum by (tenant_id) (rate(ws_messages_sent_total[1m]))`,
		`quantile_over_time(0.9, ws_messages_per_second{tenant_id="globex"}[1m])`,
	} {
		direct, err := answer(s.prometheus, "/query", url.Values{"query": {expression}, "time": {strconv.FormatInt(at, 10)}})
		require.NoError(t, err)
		proxied, err := answer(s.outside, "/query", url.Values{"query": {expression}, "time": {strconv.FormatInt(at, 10)}})
		require.NoError(t, err)
		assert.JSONEq(t, direct, proxied)
	}
	code, _, err := get(s.outside.url + "/api/v1/status/buildinfo")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)
	s.answersLikePrometheus(t, at)
}

// answersLikePrometheus compares answers of the store with those of a Prometheus that has the same samples, and errors.
func (s *stored) answersLikePrometheus(t *testing.T, at int64) {
	t.Helper()
	now := strconv.FormatInt(at, 10)
	for _, c := range []struct {
		path string
		form url.Values
	}{
		{"/query", url.Values{"query": {`ws_messages_sent_total{job=""}`}}},
		{"/query", url.Values{"query": {`sort_desc(sum by (tenant_id, channel_type) (rate(ws_messages_sent_total{job=""}[30s])))`}}},
		{"/query", url.Values{"query": {`ws_drop_rate_percent{job=""}[30s]`}}},
		{"/query", url.Values{"query": {`scalar(count(ws_active_connections{job=""})) / 0`}}},
		{"/query", url.Values{"query": {`"text \" <é>"`}}},
		{"/query", url.Values{"query": {`quantile(2, ws_active_connections{job=""})`}}},
		{"/query", url.Values{"query": {`ws_active_connections{job=""} * on (region) group_right ws_active_connections{job=""}`}}},
		{"/query", url.Values{"query": {`rate(ws_active_connections{job=""}[30s])`}}},
		{"/query", url.Values{"query": {`ws_active_connections{job=""}`}, "limit": {"1"}, "lookback_delta": {"20s"}}},
		{"/query", url.Values{"query": {`absent(ws_nothing)`}}},
		{"/query_range", url.Values{"query": {`sum by (region) (ws_active_connections{job=""})`}, "start": {strconv.FormatInt(at-20, 10)}, "end": {now}, "step": {"1800ms"}}},
		{"/query_exemplars", url.Values{"query": {`ws_nothing`}}},
		{"/labels", url.Values{"match[]": {`{job="",__name__=~"ws_.*"}`}}},
		{"/label/tenant_id/values", url.Values{"match[]": {`ws_active_connections{job=""}`, `ws_messages_sent_total{job=""}`}}},
		{"/series", url.Values{"match[]": {`ws_active_connections{job=""}`, `ws_active_connections{job="",tenant_id="globex"}`}}},
		{"/series", url.Values{"match[]": {`{region=~".*"}`}}},
		{"/series", url.Values{}},
		{"/metadata", url.Values{"metric": {"ws_nothing"}}},
		{"/status/walreplay", url.Values{}},
	} {
		if strings.HasPrefix(c.path, "/query") && !c.form.Has("start") {
			c.form.Set("time", now)
		}
		query := "/api/v1" + c.path + "?" + c.form.Encode()
		wantCode, want, err := get(s.prometheus.url + query)
		require.NoError(t, err)
		code, got, err := get(s.dashboard.url + query)
		require.NoError(t, err)
		assert.Equal(t, wantCode, code, "%s: %s", query, got)
		assert.JSONEq(t, want, got, query)
	}
}

// answer is the body of a good answer.
func answer(p prometheus, path string, values url.Values) (string, error) {
	code, body, err := get(p.url + "/api/v1" + path + "?" + values.Encode())
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s: %d: %s", path, code, body)
	}
	return body, err
}

// samples are all that the store has of a metric, by series and time.
func (s *stored) samples(name string) (map[string]string, error) {
	body, err := answer(s.dashboard, "/query", url.Values{
		"query": {name + "[1h]"}, "time": {strconv.FormatInt(time.Now().Unix()+60, 10)},
	})
	if err != nil {
		return nil, err
	}
	var matrix struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &matrix); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, series := range matrix.Data.Result {
		for _, value := range series.Values {
			all[fmt.Sprintf("%v at %.3f", series.Metric, value[0])] = value[1].(string)
		}
	}
	return all, nil
}

// A kill -9 loses no window that the store has acknowledged. What a query showed was
// acknowledged.
func TestDashboardIsKilled(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce, c.Sessions = 200, true, 50 })
	s := startStored(t, platform, t.TempDir(), "WINDOW_SIZE=700ms")
	acknowledged := map[string]string{}
	for range 4 {
		was := len(acknowledged)
		eventually(t, func() error {
			samples, err := s.samples("ws_messages_per_second")
			if err == nil && len(samples) < was+40 {
				err = fmt.Errorf("%d samples", len(samples))
			}
			if err == nil {
				acknowledged = samples
			}
			return err
		})
		s.collector.kill(t)
		s.restart(t)
		after, err := s.samples("ws_messages_per_second")
		require.NoError(t, err)
		for sample, value := range acknowledged {
			assert.Equal(t, value, after[sample], sample)
		}
	}
}

// figures are the collector's own counters that begin with a name.
func (s *stored) figures(t testing.TB, name string) map[string]float64 {
	t.Helper()
	_, body, err := get(s.telemetry)
	require.NoError(t, err)
	figures := map[string]float64{}
	for _, match := range regexp.MustCompile(`(?m)^`+name+`(?:\{([^}]*)\})? (\S+)$`).FindAllStringSubmatch(body, -1) {
		value, err := strconv.ParseFloat(match[2], 64)
		require.NoError(t, err)
		figures[match[1]] += value
	}
	return figures
}

// of is the sum of those whose labels have a text.
func of(figures map[string]float64, text string) (sum float64) {
	for labels := range maps.Keys(figures) {
		if strings.Contains(labels, text) {
			sum += figures[labels]
		}
	}
	return sum
}

// A hundred viewers ask the same once per window, and the store is asked once.
func TestDashboardHasManyViewers(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 200, true })
	s := startStored(t, platform, t.TempDir(), "WINDOW_SIZE=3s")
	eventually(t, func() error {
		samples, err := s.samples("ws_active_connections")
		if err == nil && len(samples) == 0 {
			err = errors.New("no windows yet")
		}
		return err
	})
	const windows, viewers = 3, 100
	step := 2800 * time.Millisecond
	for range windows {
		moment := time.Now().Truncate(step).Add(step) // all that matters is that they ask for the same
		time.Sleep(time.Until(moment))
		form := url.Values{
			"query": {"sum by (region) (ws_active_connections)"}, "step": {"3"},
			"start": {strconv.FormatInt(moment.Unix()-3600, 10)}, "end": {strconv.FormatInt(moment.Unix()-5, 10)},
		}
		var viewing sync.WaitGroup
		for range viewers {
			viewing.Go(func() {
				_, err := answer(s.dashboard, "/query_range", form)
				assert.NoError(t, err)
			})
		}
		viewing.Wait()
	}
	asked := of(s.figures(t, "otelcol_dashboard_query_duration_count"), `endpoint="/query_range"`)
	assert.InDelta(t, windows, asked, windows, "a window may come in between, and is worth another question")
	assert.InDelta(t, windows*viewers, of(s.figures(t, "otelcol_dashboard_queries"), `endpoint="/query_range"`), 0)
	assert.InDelta(t, windows*viewers-asked, of(s.figures(t, "otelcol_dashboard_cache_hits"), ""), float64(viewers),
		"what is not asked is a hit")
}

// What would be too much is refused with a word, and costs next to nothing.
func TestDashboardRefusesTooMuch(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 200, true })
	s := startStored(t, platform, t.TempDir())
	eventually(t, func() error {
		samples, err := s.samples("ws_active_connections")
		if err == nil && len(samples) == 0 {
			err = errors.New("no windows yet")
		}
		return err
	})
	for query, message := range map[string]string{
		"/query_range?query=ws_active_connections&start=1700000000&end=9999-12-31T00:00:00Z&step=1":                                   "end: 9999-12-31T00:00:00Z: must be at most",
		"/query_range?query=ws_active_connections&start=0&end=1700000000&step=86400":                                                  "apart: must be at most 8784h0m0s",
		"/query?query=ws_active_connections&time=253402214400":                                                                        "time: 9999-12-31T00:00:00Z: must be at most",
		"/query?query=" + url.QueryEscape("count_over_time(ws_active_connections[360d:1ms])"):                                         "steps, and 100000 are the most",
		fmt.Sprintf("/query_range?query=ws_active_connections&start=%d&end=%d&step=1", time.Now().Unix()-90*86400, time.Now().Unix()): "points of a series",
	} {
		code, body, err := get(s.dashboard.url + "/api/v1" + query)
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, code, query)
		assert.Contains(t, body, message)
	}
	assert.Empty(t, s.figures(t, "otelcol_dashboard_query_duration_count"+`{endpoint="/query_range"`))

	samples, err := s.dashboard.query("count(ws_active_connections)")
	require.NoError(t, err)
	assert.NotEmpty(t, samples, "it goes on")
}

// A second collector on the same directory says so, and leaves the first alone.
func TestDashboardDirectoryIsTaken(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	s := startStored(t, platform, t.TempDir())
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
extensions: { dashboard: { endpoint: "127.0.0.1:%d", store: { directory: %q } } }
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:%d" } } } }
exporters: { debug: }
service:
  extensions: [dashboard]
  telemetry: { metrics: { level: none } }
  pipelines: { metrics: { receivers: [otlp], exporters: [debug] } }
`, freePort(t), filepath.Join(s.state, "metrics"), freePort(t)), 0o600))
	out, err := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "--config", config).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), filepath.Join(s.state, "metrics")+": another process has this store open")
	code, _, err := get(s.dashboard.url + "/healthz")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)
}

// A disk that fills up is an error and not the end: senders are asked to retry,
// what there is can be seen, nothing that was acknowledged is lost, and it goes on.
func TestDashboardDiskFillsUp(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		skip(t, "a small disk cannot be mounted (it takes root): %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	for name, reserve := range map[string]int{"reserve": 4 << 20, "none": 0} {
		t.Run(name, func(t *testing.T) {
			platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce, c.Sessions = 200, true, 50 })
			s := startStored(t, platform, t.TempDir(), "WINDOW_SIZE=700ms", fmt.Sprintf("MIN_FREE_BYTES=%d", reserve))
			s.collector.stop(t)
			require.NoError(t, os.MkdirAll(filepath.Join(disk, name), 0o700))
			require.NoError(t, os.Symlink(filepath.Join(disk, name), filepath.Join(s.state, "on disk")))
			require.NoError(t, os.RemoveAll(filepath.Join(s.state, "metrics")))
			require.NoError(t, os.Rename(filepath.Join(s.state, "on disk"), filepath.Join(s.state, "metrics")))
			s.restart(t)
			some := func(more int) map[string]string {
				var found map[string]string
				eventually(t, func() error {
					samples, err := s.samples("ws_messages_per_second")
					if err == nil && len(samples) < more {
						err = fmt.Errorf("%d samples", len(samples))
					}
					found = samples
					return err
				})
				return found
			}
			some(20)
			filler := filepath.Join(disk, "filler")
			fill(t, filler)
			eventually(t, func() error {
				code, body, err := get(s.dashboard.url + "/healthz")
				if err == nil && code != http.StatusServiceUnavailable {
					err = fmt.Errorf("the disk is full, and healthz says %d %s", code, body)
				}
				return err
			})
			acknowledged := some(20)
			time.Sleep(2 * time.Second)
			require.NoError(t, os.Remove(filler))
			eventually(t, func() error {
				code, body, err := get(s.dashboard.url + "/healthz")
				if err == nil && code != http.StatusOK {
					err = fmt.Errorf("there is room, and healthz says %d %s", code, body)
				}
				return err
			})
			acknowledged = merge(acknowledged, some(len(acknowledged)+20))
			s.collector.kill(t)
			s.restart(t)
			after := some(0)
			for sample, value := range acknowledged {
				assert.Equal(t, value, after[sample], sample)
			}
			s.collector.stop(t)
		})
	}
}

func merge(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// fill writes to a disk until it is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		block := make([]byte, size)
		for {
			if _, err := file.Write(block); err != nil {
				require.ErrorIs(t, err, syscall.ENOSPC)
				break
			}
		}
	}
}
