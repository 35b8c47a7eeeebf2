// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// pager is a webhook receiver of Alertmanager.
type pager struct {
	*httptest.Server

	mutex sync.Mutex
	pages []page
}

// page is a notification: its receiver, and its alerts as "status alertname tenant region severity".
type page struct {
	receiver string
	alerts   []string
	at       time.Time
}

func startPager(t testing.TB) *pager {
	t.Helper()
	p := &pager{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Receiver string `json:"receiver"`
			Alerts   []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			return
		}
		one := page{receiver: body.Receiver, at: time.Now()}
		for _, a := range body.Alerts {
			one.alerts = append(one.alerts, strings.Join([]string{a.Status, a.Labels["alertname"], a.Labels["tenant_id"], a.Labels["region"], a.Labels["severity"]}, " "))
		}
		slices.Sort(one.alerts)
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.pages = append(p.pages, one)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pager) all() []page {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.pages)
}

// groups are all notifications in an order that does not depend on their times.
func (p *pager) groups() (all []string) {
	for _, one := range p.all() {
		all = append(all, one.receiver+": "+strings.Join(one.alerts, ", "))
	}
	slices.Sort(all)
	return all
}

// count returns the number of notifications that contain an alert.
func (p *pager) count(alert string) (n int) {
	for _, one := range p.all() {
		if slices.Contains(one.alerts, alert) {
			n++
		}
	}
	return n
}

// grouping is a collector with the embedded Alertmanager.
type grouping struct {
	*process

	api, otlp   string
	environment []string
	arguments   []string
}

func startGrouping(t testing.TB, config string, arguments ...string) *grouping {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alertmanager.yml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	api, otlp := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	g := &grouping{api: "http://" + api, otlp: "http://" + otlp, environment: []string{
		"CONFIG=" + path, "STATE=" + filepath.Join(t.TempDir(), "state"), "API=" + api, "OTLP=" + otlp,
	}, arguments: append([]string{"--config", "testdata/alertmanager/collector.yaml"}, arguments...)}
	g.restart(t)
	return g
}

func (g *grouping) restart(t testing.TB) {
	t.Helper()
	g.process = start(t, "otelcol-ccaas", g.environment, g.arguments...)
	eventually(t, func() error {
		status, _, err := get(g.api + "/api/v2/status")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("API: %d", status)
		}
		if err == nil { // 405 where the receiver is there
			_, _, err = get(g.otlp + "/v1/logs")
		}
		return err
	})
}

// outageTrace is the trace of a session of each outage.
const outageTrace = "5b8a1c0e9d3f4a62b7c81d2e3f405162"

// outage is one alert of a test.
type outage struct {
	rule, tenant, region, severity string
	resolved                       bool
}

func (o outage) status() string {
	if o.resolved {
		return "resolved"
	}
	return "firing"
}

func (o outage) String() string {
	return strings.Join([]string{o.status(), o.rule, o.tenant, o.region, o.severity}, " ")
}

// send delivers alert records; an error means that they are not acknowledged.
func (g *grouping) send(all ...outage) error {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	now := time.Now()
	for _, one := range all {
		record := records.AppendEmpty()
		record.SetEventName("alert." + one.status())
		record.Attributes().PutStr(wsevent.AlertID, one.rule+one.tenant+one.region+one.severity)
		err := record.Body().FromRaw(map[string]any{
			"metric": one.rule, "tenant_id": one.tenant, "region": one.region, "alert_type": one.severity, "status": one.status(),
			"window_start": now.Add(-12 * time.Second).UnixMilli(), "window_end": now.Add(-2 * time.Second).UnixMilli(), "value": 1.5, "threshold": 0.5,
			"traces": []any{outageTrace},
		})
		if err != nil {
			return err
		}
	}
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalJSON()
	if err != nil {
		return err
	}
	return post(g.otlp+"/v1/logs", body, nil)
}

// post sends JSON, and decodes the response where out is not nil.
func post(url string, body []byte, out any) error {
	response, err := http.Post(url, "application/json", bytes.NewReader(body)) //nolint:gosec // a test's own server
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%d: %s", response.StatusCode, text)
	}
	if out != nil {
		return json.Unmarshal(text, out)
	}
	return nil
}

// addSilence returns when the silence is confirmed.
func addSilence(api, label, value string) (id string, err error) {
	var made struct {
		ID string `json:"silenceID"`
	}
	err = post(api+"/api/v2/silences", fmt.Appendf(nil, `{"matchers":[{"name":%q,"value":%q,"isRegex":false,"isEqual":true}],"startsAt":%q,"endsAt":%q,"createdBy":"e2e","comment":"test"}`,
		label, value, time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)), &made)
	return made.ID, err
}

const parityConfig = `
route:
  receiver: default
  group_by: [alertname, region]
  group_wait: 20s # alerts older than that are sent at once, one by one or together
  group_interval: 5s
  repeat_interval: 1h
  routes:
    - { matchers: [alertname="ws_muted"], receiver: muted, mute_time_intervals: [always] }
    - { matchers: [severity="critical"], receiver: oncall, group_by: [region] }
receivers:
  - { name: default, webhook_configs: [{ url: "%[1]s" }] }
  - { name: oncall, webhook_configs: [{ url: "%[1]s" }] }
  - { name: muted, webhook_configs: [{ url: "%[1]s" }] }
inhibit_rules:
  - { source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [tenant_id, region] }
time_intervals:
  - { name: always, time_intervals: [{ times: [{ start_time: "00:00", end_time: "24:00" }] }] }
`

// For the same alerts, silences, inhibitions and mute intervals, the embedded Alertmanager
// and a real one of another version send the same groups.
func TestAlertmanagerExporter_SameGroupsAsAlertmanager(t *testing.T) {
	t.Parallel()
	ourPager, theirPager := startPager(t), startPager(t)
	ours := startGrouping(t, fmt.Sprintf(parityConfig, ourPager.URL))
	theirs := startAlertmanagerWith(t, fmt.Sprintf(parityConfig, theirPager.URL))
	var all []outage
	for i := range 40 {
		one := outage{rule: "ws_drop_rate", tenant: fmt.Sprintf("tenant%d", i/2), region: []string{"us-east-1", "eu-west-1"}[i/20], severity: "warning"}
		if i%4 == 0 { // half of the tenants have a critical alert beside their warning
			one.severity = "critical"
		}
		if i >= 36 {
			one.rule = "ws_muted"
		}
		all = append(all, one)
	}
	for _, api := range []string{ours.api, theirs} {
		_, err := addSilence(api, "tenant_id", "tenant3")
		require.NoError(t, err)
	}
	notify := func(some []outage) {
		require.NoError(t, ours.send(some...))
		var alerts []map[string]any
		for _, one := range some {
			alert := map[string]any{
				"labels":   map[string]string{"alertname": one.rule, "tenant_id": one.tenant, "region": one.region, "severity": one.severity},
				"startsAt": time.Now().Add(-12 * time.Second).UTC().Format(time.RFC3339Nano), "endsAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano),
			}
			if one.resolved {
				alert["endsAt"] = time.Now().Add(-time.Second).UTC().Format(time.RFC3339Nano)
			}
			alerts = append(alerts, alert)
		}
		body, err := json.Marshal(alerts)
		require.NoError(t, err)
		require.NoError(t, post(theirs+"/api/v2/alerts", body, nil))
	}
	same := func(least int) {
		eventually(t, func() error {
			got, want := ourPager.groups(), theirPager.groups()
			if len(want) < least || !slices.Equal(got, want) {
				return fmt.Errorf("groups differ, or are fewer than %d:\nours\n%s\ntheirs\n%s", least, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			return nil
		})
	}
	notify(all)
	same(4)
	for _, one := range ourPager.groups() {
		assert.NotContains(t, one, "tenant3 ")
		assert.NotContains(t, one, "ws_muted")
	}
	var resolved []outage
	for _, one := range all[:20] {
		one.resolved = true
		resolved = append(resolved, one)
	}
	notify(resolved)
	same(6)
}

// amtool reads and silences alerts through our API, and finds nothing wrong with the
// configuration that is shipped.
func TestAlertmanagerExporter_Amtool(t *testing.T) {
	t.Parallel()
	pages := startPager(t)
	g := startGrouping(t, fmt.Sprintf(parityConfig, pages.URL))
	amtool := func(arguments ...string) string {
		out, err := exec.CommandContext(t.Context(), built(t, "amtool"), append([]string{"--alertmanager.url", g.api}, arguments...)...).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	amtool("check-config", "../config/alertmanager.yml")
	require.NoError(t, g.send(outage{rule: "ws_drop_rate", tenant: "a", region: "r", severity: "critical"}, outage{rule: "ws_drop_rate", tenant: "b", region: "r", severity: "critical"}))
	eventually(t, func() error {
		if out := amtool("alert", "query", "tenant_id=a"); !strings.Contains(out, "ws_drop_rate") {
			return fmt.Errorf("no alert: %s", out)
		}
		return nil
	})
	id := strings.TrimSpace(amtool("silence", "add", "tenant_id=a", "--duration", "1h", "--comment", "test", "--author", "e2e"))
	assert.Contains(t, amtool("silence", "query"), id)
	assert.NotContains(t, amtool("alert", "query"), "tenant_id=\"a\"")
	eventually(t, func() error {
		if n := pages.count(outage{rule: "ws_drop_rate", tenant: "b", region: "r", severity: "critical"}.String()); n == 0 {
			return fmt.Errorf("b is not notified: %v", pages.groups())
		}
		return nil
	})
	assert.Zero(t, pages.count(outage{rule: "ws_drop_rate", tenant: "a", region: "r", severity: "critical"}.String()), "a is silenced")
	amtool("silence", "expire", id)
	eventually(t, func() error {
		if n := pages.count(outage{rule: "ws_drop_rate", tenant: "a", region: "r", severity: "critical"}.String()); n == 0 {
			return fmt.Errorf("a is not notified: %v", pages.groups())
		}
		return nil
	})
	assert.Contains(t, amtool("config", "show"), "ws_muted")
}

// A region's outage of 1,000 series is one notification; ten of them, 10,000 active alerts, fit in 150 MiB with the
// binary's own settings of the garbage collector.
func TestAlertmanagerExporter_OneOutageOneNotification(t *testing.T) {
	t.Parallel()
	pages := startPager(t)
	g := startGrouping(t, fmt.Sprintf(parityConfig, pages.URL))
	idle := g.memory(t, "VmRSS")
	const regions, series = 10, 1000
	var begins, ends []time.Time
	for region := range regions {
		var all []outage
		for i := range series {
			all = append(all, outage{rule: "ws_drop_rate", tenant: fmt.Sprintf("tenant%d", i), region: fmt.Sprintf("region%d", region), severity: "critical"})
		}
		begins = append(begins, time.Now())
		require.NoError(t, g.send(all...))
		ends = append(ends, time.Now())
	}
	eventually(t, func() error {
		if n := len(pages.all()); n < regions {
			return fmt.Errorf("%d notifications", n)
		}
		return nil
	})
	require.Len(t, pages.all(), regions)
	var waited, slowest time.Duration
	for i, one := range pages.all() {
		assert.Len(t, one.alerts, series)
		var region int
		_, err := fmt.Sscanf(strings.Fields(one.alerts[0])[3], "region%d", &region)
		require.NoError(t, err)
		waited, slowest = max(waited, one.at.Sub(begins[region])), max(slowest, ends[i].Sub(begins[i]))
	}
	t.Logf("an outage of %d series: one notification, at most group_wait + %.2f s after its first alert was sent; %.2f s until all were on disk",
		series, waited.Seconds()-20, slowest.Seconds())
	var resident int64
	eventually(t, func() error { // the runtime gives back what the notifications took
		if resident = g.memory(t, "VmRSS"); resident > 150<<20 {
			return fmt.Errorf("%d MiB resident with %d active alerts", resident>>20, regions*series)
		}
		return nil
	})
	t.Logf("%d MiB resident with %d active alerts, at most %d MiB, %d MiB before", resident>>20, regions*series, g.memory(t, "VmHWM")>>20, idle>>20)
}

func startAlertmanagerWith(t testing.TB, content string) (url string) {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "alertmanager.yml")
	require.NoError(t, os.WriteFile(config, []byte(content), 0o600))
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start(t, "alertmanager", nil, "--config.file", config, "--storage.path", filepath.Join(folder, "data"),
		"--web.listen-address", address, "--cluster.listen-address", "")
	eventually(t, func() error {
		status, _, err := get("http://" + address + "/-/ready")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("Alertmanager is not ready: %d", status)
		}
		return err
	})
	return "http://" + address
}
