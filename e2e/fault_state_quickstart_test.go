// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// faultQuickstart is a collector with the quick start's configuration and what a
// test changes in it.
type faultQuickstart struct {
	*process
	data        string // directory
	store       prometheus
	health      string
	telemetry   string
	platform    *sim.Server
	environment []string
	change      string
	accepted    int64 // sockets, before the process was started
}

// startFaultQuickstart starts one that watches the simulator. The change is a file of
// testdata/fault.
func startFaultQuickstart(t testing.TB, platform *sim.Server, change string, environment ...string) faultQuickstart {
	t.Helper()
	q := prepareFaultQuickstart(t, platform, change, environment...)
	q.restart(t)
	return q
}

// prepareFaultQuickstart has everything but the process.
func prepareFaultQuickstart(t testing.TB, platform *sim.Server, change string, environment ...string) faultQuickstart {
	t.Helper()
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	dashboard, health, telemetry := address(), address(), freePort(t)
	q := faultQuickstart{
		data: t.TempDir(), platform: platform, change: change,
		store: prometheus{url: "http://" + dashboard}, health: "http://" + health,
		telemetry: fmt.Sprintf("http://127.0.0.1:%d/metrics", telemetry),
	}
	q.environment = append([]string{
		"CCAAS_ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"CCAAS_WEBHOOK=" + platform.URL() + "/sink/alerts",
		"CCAAS_DASHBOARD=" + dashboard, "CCAAS_HEALTH=" + health, "CCAAS_DATA=" + q.data,
		"CCAAS_ALERTMANAGER_API=" + address(),
		fmt.Sprintf("TELEMETRY_PORT=%d", telemetry),
	}, environment...)
	return q
}

// ended is an error when the process has ended by itself.
func (p *process) ended() error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err == nil && bytes.Contains(stat, []byte(") Z ")) {
		err = errors.New("the process has ended")
	}
	return err
}

// restart starts the collector where the one before it has ended.
func (q *faultQuickstart) restart(t testing.TB) {
	t.Helper()
	q.accepted = q.platform.Truth().Sockets.Accepted
	q.process = start(t, "otelcol-ccaas", q.environment, "--config", "../config/quickstart.yaml", "--config", "testdata/fault/"+q.change)
}

// connected waits until the collector watches the platform, and its store answers.
func (q *faultQuickstart) connected(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		if err := q.ended(); err != nil {
			return err
		}
		if sockets := q.platform.Truth().Sockets; sockets.Accepted == q.accepted || sockets.Connected == 0 {
			return fmt.Errorf("the collector does not watch the platform: %+v", sockets)
		}
		_, err := q.store.query("vector(1)")
		return err
	})
}
