// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// kill ends a process as a power cut would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	require.NoError(t, p.Process.Kill())
	_ = p.Wait()
}

// A collector that is killed with a hundred thousand open channels comes back
// with all of them, and its totals go on.
func TestAKilledCollectorGoesOn(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce, c.Sessions = 30_000, 130_000, true, 100_000
		c.Tenants, c.Regions = []string{"acme_corp", "globex"}, []string{"us-east-1"}
		c.Frame, c.FrameEvents = sim.FrameArray, 100
	})
	p := startPipeline(t, platform)
	truth := sent(t, platform)
	require.Greater(t, truth.Total.ConnectionsOpened, int64(90_000))
	eventually(t, func() error { return p.prometheus.disagreement(truth, "") })
	eventually(t, func() error { return p.prometheus.disagreementOnOpen(truth) })

	p.collector.kill(t)
	killed := time.Now()
	p.restart(t)
	// A stream is emitted again after its next record, so each series gets one more message.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, platform.WaitAccepted(ctx, truth.Sockets.Accepted+1))
	require.NoError(t, platform.WaitConnected(ctx))
	for i := range truth.Series {
		series := &truth.Series[i]
		series.MessagesSent++
		series.Open++
		require.NoError(t, platform.Send(fmt.Appendf(nil,
			`{"type":"message.send","timestamp":%d,"channelId":"after the kill","tenantId":%q,"region":%q,"channelType":%q}`,
			time.Now().UnixMilli(), series.TenantID, series.Region, series.ChannelType)))
	}
	since := func() string { return fmt.Sprintf("[%ds]", int(time.Since(killed).Seconds())+1) }
	eventually(t, func() error {
		samples, err := p.prometheus.query(`count(count_over_time(ws_active_connections{job=""}` + since() + `))`)
		if err == nil && len(samples) == 0 {
			err = errors.New("no window since the kill")
		}
		return err
	})
	eventually(t, func() error { return p.prometheus.disagreementOnOpen(truth) })
	eventually(t, func() error { return p.prometheus.disagreement(truth, "") })
	for name := range counters {
		resets, err := p.prometheus.query(fmt.Sprintf(`sum(resets(%s{job=""}[10m]))`, name))
		require.NoError(t, err)
		require.Len(t, resets, 1)
		assert.Zero(t, resets[0].value, "%s ran backwards", name)
	}
	assert.Contains(t, p.collector.output.String(), "Resumed from saved state")
}
