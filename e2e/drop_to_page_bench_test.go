// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// BenchmarkDropToPage is the time from the moment at which the platform begins to drop connections to the
// notification of the on-call receiver, with config/on-call.yaml as shipped and with short windows. Each
// collector is a sample, at a random moment of its window.
func BenchmarkDropToPage(b *testing.B) {
	for name, arguments := range map[string][]string{
		"shipped":                          nil,
		"size=2s,overlap=1s":               {"--set", "processors::ws_window::size=2s", "--set", "processors::ws_window::overlap=1s"},
		"size=2s,overlap=1s,group_wait=1s": {"--set", "processors::ws_window::size=2s", "--set", "processors::ws_window::overlap=1s", "--set", "exporters::alertmanager::config_file=testdata/alertmanager/short.yml"},
	} {
		b.Run(name, func(b *testing.B) {
			const atOnce, rounds = 8, 3
			var times []time.Duration
			var mutex sync.Mutex
			for b.Loop() {
				for range rounds {
					var all sync.WaitGroup
					for range atOnce {
						all.Go(func() {
							took := dropToPage(b, arguments)
							mutex.Lock()
							defer mutex.Unlock()
							times = append(times, took)
						})
					}
					all.Wait()
				}
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2].Seconds(), "median-s")
			b.ReportMetric(times[(len(times)*99-1)/100].Seconds(), "p99-s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// dropToPage starts a platform and a collector, lets connections drop, and returns when that is notified.
func dropToPage(b *testing.B, arguments []string) time.Duration {
	b.Helper()
	paged := make(chan time.Time, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("ws_connection_drop_rate")) {
			select {
			case paged <- time.Now():
			default:
			}
		}
	}))
	defer receiver.Close()
	platform := startPlatform(b, func(c *sim.Config) {
		c.Rate, c.Announce, c.Sessions, c.Lossy, c.DropRate = 50, true, 100, true, 0
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp", "globex"}, []string{"us-east-1"}, []string{"webmessaging"}
	})
	metrics := fmt.Sprintf("127.0.0.1:%d", freePort(b))
	collector := start(b, "otelcol-ccaas", []string{
		"CCAAS_ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1), "CCAAS_CLIENT_ID=a", "CCAAS_CLIENT_SECRET=b",
		"CCAAS_STATE=" + b.TempDir(), "CCAAS_ALERTMANAGER=../config/alertmanager.yml",
		"CCAAS_HEALTH=" + fmt.Sprintf("127.0.0.1:%d", freePort(b)), "CCAAS_TELEMETRY_PORT=" + strconv.Itoa(freePort(b)),
		"CCAAS_ALERTMANAGER_API=" + fmt.Sprintf("127.0.0.1:%d", freePort(b)),
		"CCAAS_WEBHOOK=" + receiver.URL, "CCAAS_WEBHOOK_SECRET=" + webhookSecret,
	}, append([]string{"--config", "../config/on-call.yaml", "--set", "exporters::prometheus::endpoint=" + metrics}, arguments...)...)
	defer func() { _ = collector.Process.Kill() }()
	eventually(b, func() error { // a window of both tenants is there
		_, page, err := get("http://" + metrics + "/metrics")
		if err == nil && (!strings.Contains(page, `ws_drop_rate_percent{`) || !strings.Contains(page, "globex")) {
			err = errors.New("no windows")
		}
		return err
	})
	time.Sleep(time.Duration(rand.IntN(10_000)) * time.Millisecond) //nolint:gosec // a moment
	began := time.Now()
	burst(b, platform)
	select {
	case at := <-paged:
		return at.Sub(began)
	case <-time.After(2 * time.Minute):
		b.Error("no notification within two minutes")
		return 0
	}
}
