// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const pageAlertsConfig = `
route:
  receiver: oncall
  group_by: [alertname, region]
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1h
receivers: [{ name: oncall, webhook_configs: [{ url: "%s" }] }]
inhibit_rules:
  - { source_matchers: [alertname="ws_stream_incomplete"], target_matchers: [alertname="ws_connection_drop_rate"], equal: [tenant_id, region] }
`

// startAlertsPage starts a collector with the embedded Alertmanager, and the page in front of it.
func startAlertsPage(t *testing.T, pages *pager, arguments ...string) (*grouping, dashboard) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	d := dashboard{url: "http://" + address + "/", api: prometheus{url: "http://" + address}}
	g := startGrouping(t, fmt.Sprintf(pageAlertsConfig, pages.URL), append([]string{
		"--set", "service::extensions=[dashboard]",
		"--set", "extensions::dashboard::endpoint=" + address,
		"--set", "extensions::dashboard::store::directory=" + t.TempDir(),
		"--set", "extensions::dashboard::alertmanager::endpoint=http://${env:API}",
	}, arguments...)...)
	return g, d
}

// The page shows the groups of Alertmanager with the state of each alert. A silence that is added there
// takes effect, is what amtool shows, and is expired there.
func TestPageSilencesAlerts(t *testing.T) {
	t.Parallel()
	pages := startPager(t)
	g, d := startAlertsPage(t, pages, "--set", "extensions::dashboard::links=[{name: Jaeger, url: 'https://jaeger.example.com/trace/{trace_id}'}]")
	amtool := func(arguments ...string) string {
		out, err := exec.CommandContext(t.Context(), built(t, "amtool"), append([]string{"--alertmanager.url", g.api}, arguments...)...).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	history := startHistory(t, d)
	var all []outage
	for _, tenant := range []string{"acme_corp", "globex", "initech"} {
		all = append(all, outage{rule: "ws_connection_drop_rate", tenant: tenant, region: "eu-west-1", severity: "critical"})
	}
	all = append(all,
		outage{rule: "ws_stream_incomplete", tenant: "initech", region: "eu-west-1", severity: "warning"},
		outage{rule: "ws_active_connections_high", tenant: "acme_corp", region: "us-east-1", severity: "warning"},
	)
	require.NoError(t, g.send(all...))

	b := startBrowser(t)
	b.open(d.url)
	group := func(rule, states string) string {
		return fmt.Sprintf(`document.querySelector('[data-group=%q]')?.dataset.states === %q`, rule, states)
	}
	b.until(group("ws_connection_drop_rate", "2 firing, 1 inhibited"))
	b.until(group("ws_active_connections_high", "1 firing"))
	b.until(fmt.Sprintf(`document.querySelectorAll('[data-group] a[href="https://jaeger.example.com/trace/%s"]').length === %d`, outageTrace, len(all)))
	text := func(selector string) string {
		return evaluate[string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((element) => element.innerText).join('\n')`, selector))
	}
	click := func(selector string) {
		t.Helper()
		require.True(t, evaluate[bool](b, fmt.Sprintf(`(() => { const element = document.querySelector(%q); element?.click(); return element !== null; })()`, selector)), selector)
	}
	open := `[data-group="ws_connection_drop_rate"] `
	click(open + "summary")
	assert.Equal(t, "2", evaluate[string](b, fmt.Sprintf(`String(document.querySelectorAll('%s[data-state="firing"]').length)`, open)))
	assert.Contains(t, text(open), "eu-west-1 · globex")
	assert.Contains(t, text(open), "oncall")
	eventually(t, func() error {
		if pages.count(all[1].String()) == 0 {
			return errors.New("globex is not notified")
		}
		return nil
	})

	// The dialog has what one alert's labels are, and refuses what is no matcher.
	click(open + `details li:nth-child(2) button`)
	matchers := evaluate[string](b, `document.querySelector('dialog.silence textarea').value`)
	assert.Contains(t, matchers, `tenant_id="globex"`)
	assert.Contains(t, matchers, `alertname="ws_connection_drop_rate"`)
	b.until(`document.querySelector('dialog.silence .note').innerText === '1 alert matches now.'`)
	enter := func(selector, value string) {
		t.Helper()
		evaluate[bool](b, fmt.Sprintf(`(() => {
			const field = document.querySelector('dialog.silence ' + %q);
			field.value = %q;
			return field.dispatchEvent(new Event('input', { bubbles: true }));
		})()`, selector, value))
	}
	enter("textarea", "tenant_id globex")
	b.until(`document.querySelector('dialog.silence .note').innerText.includes('must be name="value"')`)
	enter("textarea", matchers)
	enter("[name=author]", "on-call")
	enter("[name=comment]", "planned failover")
	folder := filepath.Join("..", "build", "screenshots")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	shot := func(name string, width, height int64) {
		t.Helper()
		b.do(chromedp.EmulateViewport(width, height), chromedp.Sleep(300*time.Millisecond))
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), picture, 0o600))
	}
	shot("silence-dialog.png", 1280, 800)
	click("dialog.silence button.primary")
	b.until(`document.querySelector('dialog.silence') === null`)
	b.until(group("ws_connection_drop_rate", "1 firing, 1 silenced, 1 inhibited"))
	assert.Contains(t, text(".silences"), "on-call: planned failover")

	assert.Contains(t, amtool("silence", "query", "--output", "extended"), "planned failover")
	assert.NotContains(t, amtool("alert", "query", "alertname=ws_connection_drop_rate"), "globex")
	assert.Contains(t, amtool("alert", "query", "--silenced", "alertname=ws_connection_drop_rate"), "globex")

	// What amtool does is on the page with its next poll.
	id := strings.TrimSpace(amtool("silence", "add", "alertname=ws_active_connections_high", "--comment", "campaign", "--author", "marketing"))
	b.until(group("ws_active_connections_high", "1 silenced"))
	assert.Equal(t, "ws_active_connections_high", evaluate[string](b, `[...document.querySelectorAll('[data-group]')].at(-1).dataset.group`), "what notifies nobody comes last")
	history.write(t, d)
	shot("alerts.png", 1600, 1200)
	b.do(chromedp.EmulateViewport(620, 1000), chromedp.Sleep(300*time.Millisecond))
	picture, err := chromedp.Run(b.ctx, chromedp.Screenshot(".panel.alerts"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "alerts-panel.png"), picture, 0o600))
	b.do(chromedp.EmulateViewport(1600, 1200))

	click(fmt.Sprintf(`[data-silence=%q] button`, id))
	b.until(group("ws_active_connections_high", "1 firing"))
	assert.NotContains(t, amtool("silence", "query"), id)
	click(`.silences button`)
	b.until(group("ws_connection_drop_rate", "2 firing, 1 inhibited"))
	b.until(`document.querySelector('.silences') === null`)
	assert.Contains(t, amtool("alert", "query", "alertname=ws_connection_drop_rate"), "globex")
	assert.LessOrEqual(t, evaluate[int64](b, `document.documentElement.scrollWidth`), int64(1600))
	b.do(chromedp.EmulateViewport(390, 844))
	b.open(d.url)
	b.until(`document.querySelector('[data-group="ws_connection_drop_rate"]') !== null`)
	b.do(chromedp.Sleep(300 * time.Millisecond)) // for charts that follow the size
	assert.LessOrEqual(t, evaluate[int64](b, `document.documentElement.scrollWidth`), int64(390), "nothing is wider than the screen")

	for i := range all {
		all[i].resolved = true
	}
	require.NoError(t, g.send(all...))
	b.until(`document.querySelector('.alerts .calm') !== null`)
	assert.Empty(t, b.complained())
}

// Where the endpoint is reached by others without authentication, the page shows alerts and silences, and
// changes nothing; nor does the API.
func TestPageSilencesOnlyWhereItMay(t *testing.T) {
	t.Parallel()
	g, d := startAlertsPage(t, startPager(t), "--set", "extensions::dashboard::allowed_hosts=[estate.localhost]")
	require.NoError(t, g.send(outage{rule: "ws_connection_drop_rate", tenant: "acme_corp", region: "eu-west-1", severity: "critical"}))
	_, err := addSilence(g.api, "tenant_id", "globex")
	require.NoError(t, err)
	b := startBrowser(t)
	b.open(strings.Replace(d.url, "127.0.0.1", "estate.localhost", 1)) // as a reverse proxy asks
	b.until(`document.querySelector('[data-group="ws_connection_drop_rate"]') !== null`)
	b.until(`document.querySelector('[data-silence]') !== null`)
	assert.Equal(t, "0", evaluate[string](b, `String(document.querySelectorAll('.alerts .scroll button').length)`))
	status := evaluate[string](b, `(() => { const request = new XMLHttpRequest(); request.open('POST', 'api/v2/silences', false);
		request.setRequestHeader('Content-Type', 'application/json'); request.send('{}'); return String(request.status); })()`)
	assert.Equal(t, "403", status)
}
