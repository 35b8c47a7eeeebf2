// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// frontDoor is a backend's address at which nothing listens, then something hangs, then a Prometheus responds.
type frontDoor struct {
	address string
	server  *httptest.Server
}

func newFrontDoor(t *testing.T) *frontDoor {
	t.Helper()
	d := &frontDoor{address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	t.Cleanup(d.close)
	return d
}

func (d *frontDoor) url() string { return "http://" + d.address }

func (d *frontDoor) close() {
	if d.server != nil {
		d.server.CloseClientConnections()
		d.server.Close()
		d.server = nil
	}
}

func (d *frontDoor) open(t *testing.T, handler http.Handler) {
	t.Helper()
	d.close()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", d.address)
	require.NoError(t, err)
	d.server = httptest.NewUnstartedServer(handler)
	require.NoError(t, d.server.Listener.Close())
	d.server.Listener = listener
	d.server.Start()
}

// toPrometheus forwards metrics, from the paths of several backends, and takes everything else.
func toPrometheus(t *testing.T, server prometheus) http.Handler {
	t.Helper()
	behind, err := url.Parse(server.url)
	require.NoError(t, err)
	forward := func(path string) http.Handler {
		return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.URL.Path = path
		}}
	}
	otlp, remoteWrite := forward("/api/v1/otlp/v1/metrics"), forward("/api/v1/write")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/metrics"):
			otlp.ServeHTTP(w, r)
		case strings.HasSuffix(r.URL.Path, "/push") || strings.HasSuffix(r.URL.Path, "/write"):
			remoteWrite.ServeHTTP(w, r)
		}
	})
}

// hanging responds to nobody. It reads the body, without which the server does not notice that a client has left.
var hanging = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
})

// windowsOf are the windows that a Prometheus has, with the number of samples of each.
func (p prometheus) windowsOf() (map[windowEnd]int, error) {
	samples, err := p.matrix(`ws_messages_sent_total[1h]`)
	windows := map[windowEnd]int{}
	for _, series := range samples {
		for _, at := range series.times {
			windows[windowEnd{sim.Series{TenantID: series.labels["tenant_id"], Region: series.labels["region"], ChannelType: series.labels["channel_type"]}, at}]++
		}
	}
	return windows, err
}

// Each configuration with a metrics store: the store is absent, SIGTERM ends the collector within 10 s while it is absent or
// hangs, the collector starts again, the store returns. Every window is there, once. No queue and no retry of these
// configurations has a limit of time, so that a short outage stands for an hour; config/outage_test.go has the sizes, and
// that every exporter of windows is one of these.
func TestFaultBackendOutageWithARestart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ config, address, exporter string }{
		{"prometheus-otlp.yaml", "PROMETHEUS_URL=%s", "otlp_http/prometheus"},
		{"prometheus-remote-write.yaml", "REMOTE_WRITE_URL=%s/api/v1/write", "prometheus_remote_write"},
		{"mimir.yaml", "MIMIR_URL=%s", "prometheus_remote_write/mimir"},
		{"telegraf.yaml", "TELEGRAF_URL=%s/push", "prometheus_remote_write/telegraf"},
		{"loki.yaml", "PROMETHEUS_URL=%s", "otlp_http/prometheus"},
		{"elastic.yaml", "ELASTIC_OTLP_ENDPOINT=%s", "otlp_http/elastic_windows"},
		{"genesys-realtime.yaml", "OTLP_ENDPOINT=%s", "otlp_http"},
		{"stack.yaml", "MIMIR_URL=%s", "otlp_http/mimir, alert"},
	} {
		t.Run(test.config, func(t *testing.T) {
			t.Parallel()
			platform := startPlatform(t, func(c *sim.Config) {
				c.Rate, c.Announce, c.Sessions = 100, true, 40
				c.Tenants, c.ChannelTypes = []string{"acme_corp"}, []string{"webmessaging"}
			})
			server, door, truth := startPrometheus(t, "127.0.0.1:1"), newFrontDoor(t), startFaultyBackend(t)
			environment := append([]string{fmt.Sprintf(test.address, door.url()), "CCAAS_STATE=" + t.TempDir(), "LOKI_URL=http://127.0.0.1:1"}, someSecrets...)
			environment = append(environment, "TEMPO_URL=http://127.0.0.1:1", "CCAAS_WEBHOOK=http://127.0.0.1:1", socketURL(platform))
			set := append([]string{
				noOwnMetrics, "exporters::otlp_http/truth::metrics_endpoint=" + truth.URL,
				"service::pipelines::metrics/windows::exporters=[" + test.exporter + ",otlp_http/truth]", "receivers::ccaas_ws::endpoint=" + strings.Replace(platform.URL(), "http", "ws", 1),
			}, shortWindows...)
			collector := shipped(t, test.config, environment, set...)
			enough := func(n int) func() error {
				return func() error {
					if err := collector.ended(); err != nil {
						return err
					}
					if all := len(truth.windowsNow()); all < n {
						return fmt.Errorf("%d windows of %d", all, n)
					}
					return nil
				}
			}
			eventually(t, enough(amount(20, 100)))
			door.open(t, hanging)
			time.Sleep(6 * time.Second) // longer than a timeout
			stopped := time.Now()
			collector.stop(t)
			took := time.Since(stopped)
			timed(t, "SIGTERM while the store hangs", took, termination)
			door.close()
			before := len(truth.windowsNow())
			collector = shipped(t, test.config, environment, set...)
			eventually(t, enough(before+amount(20, 100)))
			door.open(t, toPrometheus(t, server))
			eventually(t, enough(before+amount(40, 200)))
			collector.stop(t)
			want := truth.windowsNow()
			collector = shipped(t, test.config, environment, set...) // what waited at the end
			eventually(t, func() error {
				windows, err := server.windowsOf()
				var errs []error
				for window := range want {
					if windows[window] != 1 {
						errs = append(errs, fmt.Errorf("%v is there %d times", window, windows[window]))
					}
				}
				return errors.Join(append(errs, err)...)
			})
			assert.NotContains(t, collector.output.String(), "Dropping data")
			measured(t, "%d windows in an outage with a restart: each is there, once; SIGTERM took %.1f s", len(want), took.Seconds())
		})
	}
}

// The gateway is absent while the platform sends, then hangs; the sidecar is ended within 10 s and starts again; the gateway
// returns. Every event is in its window, and every window is there, once.
func TestFaultGatewayOutageWithARestart(t *testing.T) {
	t.Parallel()
	platform, server, door := testTraffic(t), startPrometheus(t, "127.0.0.1:1"), newFrontDoor(t)
	telemetry, state := freePort(t), t.TempDir()
	sidecar := func() *process {
		return shipped(t, "sidecar.yaml", []string{"GATEWAY_ENDPOINT=" + door.url(), "GATEWAY_TOKEN=of-the-house", "CCAAS_STATE=" + state, socketURL(platform)},
			fmt.Sprintf("service::telemetry::metrics::readers=[{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %d}}}}]", telemetry))
	}
	collector := sidecar()
	truth := sent(t, platform)
	eventually(t, func() error {
		n, err := ownMetric(telemetry, "otelcol_ccaas_ws_events")
		if err == nil && n < float64(truth.Events) {
			err = fmt.Errorf("%v of %d events are read", n, truth.Events)
		}
		return err
	})
	door.open(t, hanging)
	time.Sleep(6 * time.Second) // longer than a timeout
	stopped := time.Now()
	collector.stop(t)
	timed(t, "SIGTERM while the gateway hangs", time.Since(stopped), termination)
	door.close()
	sidecar()
	shipped(t, "gateway.yaml", []string{
		"GATEWAY_LISTEN=" + door.address, "GATEWAY_TOKEN=of-the-house", "PROMETHEUS_URL=" + server.url,
		"CCAAS_WEBHOOK=" + platform.URL() + "/sink/alerts", "CCAAS_WEBHOOK_SECRET=" + webhookSecret,
	}, append(shortWindows, noOwnMetrics)...)
	eventually(t, func() error { return server.disagreement(truth, "") })
	windows, err := server.windowsOf()
	require.NoError(t, err)
	for window, samples := range windows {
		assert.Equal(t, 1, samples, "%v", window)
	}
}

// A Kafka that accepts connections and responds to nothing does not hold up SIGTERM, whenever in an attempt it comes.
func TestFaultKafkaHangsAtSIGTERM(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kafka-ingest.yaml", "kafka-window.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			var accepted atomic.Int64
			go func() {
				for {
					if _, err := listener.Accept(); err != nil {
						return
					}
					accepted.Add(1)
				}
			}()
			t.Cleanup(func() { assert.NoError(t, listener.Close()) })
			platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
			collector := shipped(t, name, []string{"KAFKA_BROKERS=" + listener.Addr().String(), socketURL(platform)}, noOwnMetrics)
			eventually(t, func() error {
				if accepted.Load() == 0 {
					return errors.New("no connection")
				}
				return collector.ended()
			})
			time.Sleep(2 * time.Second) // into an attempt
			stopped := time.Now()
			collector.stop(t)
			timed(t, "SIGTERM while Kafka hangs", time.Since(stopped), termination)
		})
	}
}

// Everything that a collector sends to hangs, its own telemetry included: SIGTERM ends it all the same.
func TestFaultEveryBackendHangsAtSIGTERM(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"own-telemetry.yaml", "stack.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			door := newFrontDoor(t)
			door.open(t, hanging)
			platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
			collector := shipped(t, name, []string{
				"OTLP_ENDPOINT=" + door.url(), "TEMPO_URL=" + door.url(), "MIMIR_URL=" + door.url(), "LOKI_URL=" + door.url(),
				"CCAAS_WEBHOOK=" + door.url(), "CCAAS_WEBHOOK_SECRET=" + webhookSecret, socketURL(platform),
			}, append(shortWindows, fmt.Sprintf("service::telemetry::metrics::readers=[{periodic: {interval: 1000, timeout: 1000, exporter: {otlp: {protocol: http/protobuf, endpoint: %q}}}}]", door.url()))...)
			time.Sleep(10 * time.Second) // queues fill, and each has an attempt
			require.NoError(t, collector.ended())
			stopped := time.Now()
			collector.stop(t)
			timed(t, "SIGTERM while every backend hangs", time.Since(stopped), termination)
		})
	}
}

// ownMetric is the sum of a metric over its series, as a collector reports it of itself.
func ownMetric(port int, name string) (sum float64, err error) {
	_, page, err := get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		return 0, err
	}
	for _, match := range regexp.MustCompile(`(?m)^`+name+`(?:_total)?(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(page, -1) {
		n, err := strconv.ParseFloat(match[1], 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// A raw event store that is absent, with a queue that is full, changes no window. What it loses is counted.
func TestFaultArchiveAbsent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ config, exporter string }{
		{"loki.yaml", "otlp_http/loki"},
		{"stack.yaml", "otlp_http/loki"},
		{"elastic.yaml", "otlp_http/elastic_events"},
	} {
		t.Run(test.config, func(t *testing.T) {
			t.Parallel()
			platform := testTraffic(t)
			server, door := startPrometheus(t, "127.0.0.1:1"), newFrontDoor(t)
			door.open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/logs") {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				toPrometheus(t, server).ServeHTTP(w, r)
			}))
			telemetry := freePort(t)
			shipped(t, test.config, append(append([]string{}, someSecrets...), "PROMETHEUS_URL="+door.url(), "MIMIR_URL="+door.url(), "ELASTIC_OTLP_ENDPOINT="+door.url(),
				"LOKI_URL=http://127.0.0.1:1", "TEMPO_URL=http://127.0.0.1:1", socketURL(platform)),
				append(shortWindows, "exporters::"+test.exporter+"::sending_queue::queue_size=20000",
					fmt.Sprintf("service::telemetry::metrics::readers=[{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %d}}}}]", telemetry))...)
			truth := sent(t, platform)
			eventually(t, func() error { return server.disagreement(truth, "") })
			incomplete, err := server.query(incompleteWindows + ` > 2`) // those that began before the stream did
			require.NoError(t, err)
			assert.Empty(t, incomplete)
			eventually(t, func() error {
				lost, err := ownMetric(telemetry, "otelcol_exporter_enqueue_failed_log_records")
				if err != nil {
					return err
				}
				if lost == 0 {
					return errors.New("no dropped event is counted")
				}
				return nil
			})
		})
	}
}
