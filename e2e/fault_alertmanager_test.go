// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const killConfig = `
route: { receiver: oncall, group_by: [tenant_id], group_wait: 100ms, group_interval: 500ms, repeat_interval: 1h }
receivers: [{ name: oncall, webhook_configs: [{ url: "%s" }] }]
`

// A collector that is killed while alerts fire, are silenced and resolve, and silences expire, loses nothing that
// it has acknowledged: each firing alert is notified, each silenced one is not, each resolved
// is, and each alert whose silence has expired is; and a kill repeats at most what was in flight.
func TestFaultAlertmanagerKill(t *testing.T) {
	t.Parallel()
	kills := 15
	if os.Getenv("FAULTS") == "full" {
		kills = 200
	}
	pages := startPager(t)
	g := startGrouping(t, fmt.Sprintf(killConfig, pages.URL))
	alert := func(kind string, i int, resolved bool) outage {
		return outage{rule: "ws_drop_rate", tenant: fmt.Sprintf("%s%d", kind, i), region: "r", severity: "critical", resolved: resolved}
	}
	notified := func(one outage) error {
		if pages.count(one.String()) == 0 {
			return fmt.Errorf("%s is not notified", one)
		}
		return nil
	}
	expires := func(i int) bool { return i >= 0 && i%2 == 0 && i+1 < kills } // the silence of round i, in the next one
	killedIn := map[string]int{}
	for i := range kills {
		// Each is a change that its sender repeats until it is acknowledged.
		var todo []func() error
		var steps []string
		step := func(name string, change func() error) { steps, todo = append(steps, name), append(todo, change) }
		if expires(i - 1) {
			step("expiring a silence", func() error { return expireSilences(g.api, alert("silenced", i-1, false).tenant) })
		}
		step("silencing", func() error { _, err := addSilence(g.api, "tenant_id", alert("silenced", i, false).tenant); return err })
		step("firing", func() error { return g.send(alert("loud", i, false), alert("silenced", i, false)) })
		if i > 0 {
			step("resolving", func() error { return g.send(alert("loud", i-1, true)) })
		}
		done := 0
		attempt := func() (err error) {
			for done < len(todo) && err == nil {
				if err = todo[done](); err == nil {
					done++
				}
			}
			return err
		}
		moment := time.Duration(rand.IntN(700)) * time.Millisecond //nolint:gosec // a moment: the requests, group_wait, the notifications
		if i%4 < 2 {                                               // the requests, also in half of the rounds in which a silence expires
			moment /= 30
		}
		killed := make(chan struct{})
		time.AfterFunc(moment, func() { _ = g.Process.Kill(); close(killed) })
		_ = attempt()
		<-killed
		_ = g.Wait()
		if done < len(todo) {
			killedIn[steps[done]]++
		} else {
			killedIn["group_wait or notifying"]++
		}
		g.restart(t)
		eventually(t, attempt)
		// An alert is notified as firing before it can be notified as resolved.
		eventually(t, func() error { return notified(alert("loud", i, false)) })
	}
	doubles := 0
	for i := range kills {
		if i+1 < kills {
			eventually(t, func() error { return notified(alert("loud", i, true)) })
			doubles += pages.count(alert("loud", i, false).String()) - 1 + pages.count(alert("loud", i, true).String()) - 1
		}
		if expires(i) {
			eventually(t, func() error { return notified(alert("silenced", i, false)) })
			doubles += pages.count(alert("silenced", i, false).String()) - 1
		} else {
			assert.Zero(t, pages.count(alert("silenced", i, false).String()), "a silence is lost")
		}
	}
	assert.LessOrEqual(t, doubles, kills)
	t.Logf("%d kills, in %v: %d notifications repeated", kills, killedIn, doubles)
}

// expireSilences ends all silences of a tenant that are in force.
func expireSilences(api, tenant string) error {
	_, body, err := get(api + "/api/v2/silences?filter=" + url.QueryEscape(fmt.Sprintf("tenant_id=%q", tenant)))
	if err != nil {
		return err
	}
	var all []struct {
		ID     string `json:"id"`
		Status struct {
			State string `json:"state"`
		} `json:"status"`
	}
	if err = json.Unmarshal([]byte(body), &all); err != nil {
		return err
	}
	for _, one := range all {
		if one.Status.State == "expired" {
			continue
		}
		request, err := http.NewRequest(http.MethodDelete, api+"/api/v2/silence/"+one.ID, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("silence %s: %s", one.ID, response.Status)
		}
	}
	return nil
}
