// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/cmd/ccaassim/sim"
)

// faultQuickstart is a collector with the quick start's configuration and what a
// test changes in it.
type faultQuickstart struct {
	*process
	data        string // directory
	store       prometheus
	health      string
	telemetry   string
	environment []string
	change      string
}

// startFaultQuickstart starts one that watches the simulator. The change is a file of
// testdata/fault.
func startFaultQuickstart(t testing.TB, platform *sim.Server, change string, environment ...string) faultQuickstart {
	t.Helper()
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	dashboard, health, telemetry := address(), address(), freePort(t)
	q := faultQuickstart{
		data: t.TempDir(), change: change,
		store: prometheus{url: "http://" + dashboard}, health: "http://" + health,
		telemetry: fmt.Sprintf("http://127.0.0.1:%d/metrics", telemetry),
	}
	q.environment = append([]string{
		"CCAAS_ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"CCAAS_WEBHOOK=" + platform.URL() + "/sink/alerts",
		"CCAAS_DASHBOARD=" + dashboard, "CCAAS_HEALTH=" + health, "CCAAS_DATA=" + q.data,
		fmt.Sprintf("TELEMETRY_PORT=%d", telemetry),
	}, environment...)
	q.restart(t)
	return q
}

// restart starts the collector where the one before it has ended.
func (q *faultQuickstart) restart(t testing.TB) {
	t.Helper()
	q.process = start(t, "otelcol-ccaas", q.environment, "--config", "../config/quickstart.yaml", "--config", "testdata/fault/"+q.change)
}

// connected waits until the collector has a socket that is ready.
func (q *faultQuickstart) connected(t testing.TB, platform *sim.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, platform.WaitConnected(ctx))
}
