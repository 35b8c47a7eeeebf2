// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// pipeline is a collector with the complete path, and what it is connected to.
type pipeline struct {
	collector   *process
	environment []string
	prometheus  prometheus
	health      string
	events      string // file
}

// startPipeline starts a collector that watches the simulator.
func startPipeline(t testing.TB, platform *sim.Server, environment ...string) pipeline {
	t.Helper()
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	scrape, health := address(), address()
	p := pipeline{
		prometheus: startPrometheus(t, scrape),
		health:     "http://" + health,
		events:     filepath.Join(t.TempDir(), "events.jsonl"),
	}
	p.environment = append([]string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"SCRAPE=" + scrape,
		"HEALTH=" + health,
		"STATE=" + t.TempDir(),
		"EVENTS_FILE=" + p.events,
		"OTLP_METRICS=" + p.prometheus.url + "/api/v1/otlp/v1/metrics",
	}, environment...)
	p.restart(t)
	return p
}

// restart starts a collector where the one before it has ended.
func (p *pipeline) restart(t testing.TB) {
	t.Helper()
	p.collector = start(t, "otelcol-ccaas", p.environment, "--config", "testdata/pipeline.yaml")
}

func startPlatform(t testing.TB, change func(*sim.Config)) *sim.Server {
	t.Helper()
	config := sim.DefaultConfig()
	change(&config)
	platform, err := sim.Start(config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, platform.Close()) })
	return platform
}

// sent waits until the platform has sent all it wants to.
func sent(t testing.TB, platform *sim.Server) sim.Truth {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-platform.Done():
	case <-ctx.Done():
		t.Fatalf("the platform has not sent everything: %+v", platform.Truth())
	}
	return platform.Truth()
}

// counters are the Prometheus names of the totals, with their share of the truth.
var counters = map[string]func(sim.Counts) int64{
	"ws_connections_opened_total":  func(c sim.Counts) int64 { return c.ConnectionsOpened },
	"ws_connections_closed_total":  func(c sim.Counts) int64 { return c.ConnectionsClosed },
	"ws_connections_dropped_total": func(c sim.Counts) int64 { return c.ConnectionsDropped },
	"ws_messages_sent_total":       func(c sim.Counts) int64 { return c.MessagesSent },
	"ws_messages_received_total":   func(c sim.Counts) int64 { return c.MessagesReceived },
	"ws_payload_bytes_total":       func(c sim.Counts) int64 { return c.PayloadBytes },
}

// disagreement says where Prometheus has another number than the platform. The
// job distinguishes the scraped series from those that came by OTLP.
func (p prometheus) disagreement(truth sim.Truth, job string) error {
	var errs []error
	for name, of := range counters {
		samples, err := p.query(fmt.Sprintf(`sum by (tenant_id, region, channel_type) (%s{job=%q})`, name, job))
		if err != nil {
			return err
		}
		found := map[sim.Series]int64{}
		for _, s := range samples {
			series := sim.Series{TenantID: s.labels["tenant_id"], Region: s.labels["region"], ChannelType: s.labels["channel_type"]}
			found[series] = int64(s.value)
		}
		for _, series := range truth.Series {
			if want := of(series.Counts); found[series.Series] != want {
				errs = append(errs, fmt.Errorf("%s%v by job %q is %d, the platform sent %d", name, series.Series, job, found[series.Series], want))
			}
		}
	}
	return errors.Join(errs...)
}

// disagreementOnOpen says when Prometheus has another number of active
// connections than the platform.
func (p prometheus) disagreementOnOpen(truth sim.Truth) error {
	open := int64(0)
	for _, series := range truth.Series {
		open += series.Open
	}
	samples, err := p.query(`sum(ws_active_connections{job=""})`)
	if err == nil && (len(samples) != 1 || int64(samples[0].value) != open) {
		err = fmt.Errorf("active connections %v, the platform has %d open", samples, open)
	}
	return err
}

// incompleteWindows is how many windows of a series are incomplete.
const incompleteWindows = `(count_over_time(ws_window_complete_ratio{job=""}[5m]) - sum_over_time(ws_window_complete_ratio{job=""}[5m]))`

func TestPrometheusHasWhatThePlatformSent(t *testing.T) {
	t.Parallel()
	for _, form := range []struct {
		platform    string
		frame       sim.FrameForm
		frameEvents int
		time        sim.TimestampForm
	}{
		{"genesys_cloud", sim.FrameObject, 1, sim.TimestampMilliseconds},
		{"nice_cxone", sim.FrameMixed, 8, sim.TimestampRFC3339},
	} {
		t.Run(form.platform, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(c *sim.Config) {
				c.Rate, c.Events, c.Announce, c.Sessions = 400, 4_000, true, 150
				c.Tenants = []string{"acme_corp", "globex"}
				c.Frame, c.FrameEvents, c.Timestamp = form.frame, form.frameEvents, form.time
				c.DropRate = 10
			})
			p := startPipeline(t, platform, "PLATFORM="+form.platform)
			truth := sent(t, platform)
			require.Equal(t, int64(4_000), truth.Events)
			for _, job := range []string{"", "scrape"} {
				eventually(t, func() error { return p.prometheus.disagreement(truth, job) })
			}
			eventually(t, func() error {
				names, err := p.prometheus.query(`count by (__name__) ({__name__=~"ws_.*", job=""})`)
				if err == nil && len(names) != 18 {
					err = fmt.Errorf("there are %d metrics, want 18: %v", len(names), names)
				}
				return err
			})

			eventually(t, func() error { return p.prometheus.disagreementOnOpen(truth) })
			incomplete, err := p.prometheus.query(incompleteWindows + ` > 2`) // those that began before the stream did
			require.NoError(t, err)
			assert.Empty(t, incomplete, "the stream was never away")
		})
	}
}

func TestBadFramesAreKeptAndTheirNeighboursGoOn(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce = 400, 2_000, true
		c.Frame, c.FrameEvents = sim.FrameMixed, 5
		c.Trouble.Malformed = 0.1
	})
	p := startPipeline(t, platform)
	truth := sent(t, platform)
	violations := int64(0)
	for _, n := range truth.Violations {
		violations += n
	}
	require.Positive(t, violations)
	eventually(t, func() error { return p.prometheus.disagreement(truth, "") })
	eventually(t, func() error {
		samples, err := p.prometheus.query(`sum(ws_protocol_violations_total{job=""})`)
		if err == nil && (len(samples) != 1 || int64(samples[0].value) != violations) {
			err = fmt.Errorf("violations %v, the platform sent %d: %v", samples, violations, truth.Violations)
		}
		return err
	})
	p.collector.stop(t)
	text, err := os.ReadFile(p.events)
	require.NoError(t, err)
	assert.Equal(t, int(violations), strings.Count(string(text), `"eventName":"protocol.violation"`), "each is on record")
}

// What is sent is delivered, or falls into a gap that is on record.
func TestResetsLeaveAGapOnRecord(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce, c.Lossy = 300, 4_000, true, true
		c.Trouble.ResetEvery = 2 * time.Second
	})
	p := startPipeline(t, platform)
	truth := sent(t, platform)
	require.Positive(t, truth.Sockets.Resets)
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.ResetEvery = 0 }))
	eventually(t, func() error {
		text, err := os.ReadFile(p.events)
		if got := int64(strings.Count(string(text), `"eventName":"stream.gap"`)); err == nil && got < truth.Sockets.Resets {
			err = fmt.Errorf("%d gaps are on record, there were %d resets", got, truth.Sockets.Resets)
		}
		return err
	})
	eventually(t, func() error {
		samples, err := p.prometheus.query(incompleteWindows + ` > 2`)
		if err == nil && len(samples) == 0 {
			err = errors.New("no window is marked as incomplete")
		}
		return err
	})
}

// status is what health_check says.
type status struct {
	Healthy    bool              `json:"healthy"`
	Status     string            `json:"status"`
	Error      string            `json:"error"`
	Components map[string]status `json:"components"`
}

func (p pipeline) status() (int, string, error) {
	code, body, err := get(p.health)
	if err != nil {
		return 0, "", err
	}
	var s status
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return 0, "", fmt.Errorf("%s: %w", body, err)
	}
	return code, body, nil
}

func TestAConfigurationFailureShowsInHealthAndHeals(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]struct {
		change func(*sim.Trouble)
		says   []string
	}{
		"unauthorized":      {func(t *sim.Trouble) { t.UpgradeFail = sim.Failure{Status: 401} }, []string{"401"}},
		"forbidden":         {func(t *sim.Trouble) { t.PreflightFail = sim.Failure{Status: 403} }, []string{"403"}},
		"other subprotocol": {func(t *sim.Trouble) { t.AnswerSubprotocol = "v9.other" }, []string{"v2.realtime-events", "v9.other"}},
		"no subprotocol":    {func(t *sim.Trouble) { t.AnswerSubprotocol = sim.AnswerNone }, []string{"v2.realtime-events"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(c *sim.Config) {
				c.Rate, c.Announce = 50, true
				trouble.change(&c.Trouble)
			})
			p := startPipeline(t, platform)
			eventually(t, func() error {
				code, body, err := p.status()
				if err != nil {
					return err
				}
				for _, word := range trouble.says {
					if code == 200 || !strings.Contains(body, word) {
						return fmt.Errorf("health is %d and does not name %s: %s", code, word, body)
					}
				}
				return nil
			})
			assert.NotContains(t, p.collector.output.String(), "the secret 8d1f")
			require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) {
				trouble.UpgradeFail, trouble.PreflightFail, trouble.AnswerSubprotocol = sim.Failure{}, sim.Failure{}, sim.AnswerSame
			}))
			eventually(t, func() error {
				code, body, err := p.status()
				if err == nil && code != 200 {
					err = fmt.Errorf("health is still %d: %s", code, body)
				}
				return err
			})
		})
	}
}
