// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const killConfig = `
route: { receiver: oncall, group_by: [tenant_id], group_wait: 100ms, group_interval: 500ms, repeat_interval: 1h }
receivers: [{ name: oncall, webhook_configs: [{ url: "%s" }] }]
`

// A collector that is killed while alerts fire, are silenced and resolve loses nothing that
// it has acknowledged: each firing alert is notified, each silenced one is not, each resolved
// is; and a kill repeats at most what was in flight.
func TestFaultAlertmanagerKill(t *testing.T) {
	t.Parallel()
	kills := 15
	if os.Getenv("FAULTS") == "full" {
		kills = 200
	}
	pages := startPager(t)
	g := startGrouping(t, fmt.Sprintf(killConfig, pages.URL))
	until := func(send func() error) { // as a sender with a queue
		eventually(t, func() error { return send() })
	}
	alert := func(kind string, i int) outage {
		return outage{rule: "ws_drop_rate", tenant: fmt.Sprintf("%s%d", kind, i), region: "r", severity: "critical"}
	}
	for i := range kills {
		loud, silenced := alert("loud", i), alert("silenced", i)
		until(func() error { _, err := addSilence(g.api, "tenant_id", silenced.tenant); return err })
		moment := time.Duration(rand.IntN(700)) * time.Millisecond //nolint:gosec // a moment
		killed := make(chan struct{})
		time.AfterFunc(moment, func() { _ = g.Process.Kill(); close(killed) })
		errs := []error{g.send(loud, silenced)} // acknowledged or not
		if i > 0 {
			before := alert("loud", i-1)
			before.resolved = true
			errs = append(errs, g.send(before))
		}
		<-killed
		_ = g.Wait()
		g.restart(t)
		if errs[0] != nil {
			until(func() error { return g.send(loud, silenced) })
		}
		if i > 0 && errs[1] != nil {
			before := alert("loud", i-1)
			before.resolved = true
			until(func() error { return g.send(before) })
		}
		// The alert before is notified as firing before it can be notified as resolved.
		eventually(t, func() error {
			if pages.count(loud.String()) == 0 {
				return fmt.Errorf("kill %d: %s is not notified", i, loud)
			}
			return nil
		})
	}
	doubles := 0
	for i := range kills - 1 {
		resolved := alert("loud", i)
		resolved.resolved = true
		eventually(t, func() error {
			if pages.count(resolved.String()) == 0 {
				return fmt.Errorf("%s is not notified", resolved)
			}
			return nil
		})
		doubles += pages.count(alert("loud", i).String()) - 1 + pages.count(resolved.String()) - 1
		assert.Zero(t, pages.count(alert("silenced", i).String()), "a silence is lost")
	}
	require.LessOrEqual(t, doubles, kills)
	status, body, err := get(g.api + "/api/v2/silences")
	require.NoError(t, err)
	require.Equal(t, 200, status)
	for i := range kills {
		assert.Contains(t, body, fmt.Sprintf("%q", alert("silenced", i).tenant))
	}
	t.Logf("%d kills: %d notifications repeated", kills, doubles)
}
