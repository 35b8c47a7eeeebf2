// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A click on a spike of the drop rate of the quick start shows the dropped sessions, one of them as a timeline, and all of it
// with the keyboard alone. The pictures of it are left in build/screenshots.
func TestPageShowsTheEventsBehindADropRate(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce = 120, 200, true
		c.Tenants, c.Regions = []string{"acme_corp", "globex"}, []string{"us-east-1", "eu-west-1"}
		c.Trouble.BurstEvery, c.Trouble.BurstDuration, c.Trouble.BurstDropRate = 40*time.Second, 8*time.Second, 80
		c.Trouble.BurstRegion = "eu-west-1"
		c.Trouble.Malformed = 0.02
	})
	q := startFaultQuickstart(t, platform, "page.yaml")
	q.connected(t)
	dashboard{url: q.store.url + "/"}.schedule(t).eventually(t, func() error { // a window with many drops has been stored
		samples, err := q.store.query("max_over_time(max(ws_drop_rate_percent)[5m:1s]) > 5")
		if err == nil && len(samples) == 0 {
			err = fmt.Errorf("no connections dropped yet: %+v", platform.Truth().Total)
		}
		return err
	})
	b := startBrowser(t)
	b.do(chromedp.EmulateViewport(1600, 1000))
	b.open(q.store.url + "/?theme=light")
	b.until(`document.querySelector('.drops canvas') !== null`)

	// The pointer goes along the chart until it is at a window with drops, and clicks.
	to := time.UnixMilli(b.shown().Window) // the chart does not have later ones yet
	drops := storedEvents(t, q.store.url, to.Add(-5*time.Minute), to, "abnormal", "true")
	require.NotEmpty(t, drops)
	worst := drops[len(drops)/2].Timestamp
	box := evaluate[[4]float64](b, `(() => {
		const { left, top, width, height } = document.querySelector('.drops .timechart').getBoundingClientRect();
		return [left, top, width, height];
	})()`)
	x, y := 0.0, box[1]+box[3]/2
	for at := box[0] + box[2] - 15; at > box[0] && x == 0; at-- {
		b.do(chromedp.MouseEvent(chromedp.MouseMoved, at, y))
		end, err := time.ParseInLocation(time.TimeOnly, evaluate[string](b, `document.querySelector('.drops .legend .at').textContent`), time.Local)
		if err != nil {
			continue // of yesterday, or not drawn yet
		}
		shown := time.UnixMilli(worst)
		end = time.Date(shown.Year(), shown.Month(), shown.Day(), end.Hour(), end.Minute(), end.Second(), 0, time.Local)
		if behind := end.Sub(shown); behind > 0 && behind < 9*time.Second {
			x = at
		}
	}
	require.NotZero(t, x, "no point of the chart is at %v", time.UnixMilli(worst))
	evaluate[bool](b, `(() => {
		addEventListener('pointerup', () => {
			const clicked = performance.now();
			const observer = new MutationObserver(() => {
				if (!document.querySelector('.drawer .list tbody tr')) return;
				window.shownAfter = performance.now() - clicked;
				observer.disconnect();
			});
			observer.observe(document.body, { childList: true, subtree: true });
		}, { once: true, capture: true });
		return true;
	})()`)
	b.do(chromedp.MouseClickXY(x, y))
	b.until(`window.shownAfter !== undefined && document.querySelector('.drawer .counts') !== null`)
	assert.Equal(t, "Dropped connections", evaluate[string](b, `document.querySelector('.drawer h2').textContent`))
	times := strings.Split(strings.Split(evaluate[string](b, `new URLSearchParams(location.search).get('events')`), ";")[0], "/")
	clickedFrom, err := time.Parse(time.RFC3339Nano, times[0])
	require.NoError(t, err)
	clickedTo, err := time.Parse(time.RFC3339Nano, times[1])
	require.NoError(t, err)
	assert.Equal(t, 10*time.Second, clickedTo.Sub(clickedFrom), "the window")
	assert.True(t, worst >= clickedFrom.UnixMilli() && worst < clickedTo.UnixMilli())
	assert.Equal(t, channels(storedEvents(t, q.store.url, clickedFrom, clickedTo, "abnormal", "true")), shownChannels(b))
	measured(t, "a click on the drop rate lists the dropped connections of a window after %.0f ms", evaluate[float64](b, `window.shownAfter`))

	// The button of the panel opens the events of the newest window; the list of a chosen time is exactly what is stored.
	from := time.UnixMilli(worst).Add(-20 * time.Second)
	until := time.UnixMilli(worst).Add(20 * time.Second)
	b.open(fmt.Sprintf("%s/?theme=light&events=%s/%s;drops", q.store.url, from.UTC().Format("2006-01-02T15:04:05.000Z"), until.UTC().Format("2006-01-02T15:04:05.000Z")))
	b.until(`document.querySelector('.drawer .list tbody tr') !== null && document.querySelector('.drawer .counts') !== null`)
	want := storedEvents(t, q.store.url, from.Truncate(time.Millisecond), until.Truncate(time.Millisecond), "abnormal", "true")
	require.NotEmpty(t, want)
	assert.Equal(t, channels(want), shownChannels(b))
	assert.Contains(t, evaluate[string](b, `document.querySelector('.drawer .number').textContent`), strconv.Itoa(len(want)))
	assert.Contains(t, evaluate[string](b, `document.querySelector('.drawer .counts').innerText`), "connection.close")
	picture(t, b, "events-list.png")

	// With the keyboard: to a conversation, back with Escape, and closed with Escape, which returns to where it was opened from.
	evaluate[bool](b, `document.querySelector('.drawer .channel button').focus() === undefined`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelectorAll('.drawer .timeline li').length > 0`)
	assert.Equal(t, "Conversation", evaluate[string](b, `document.querySelector('.drawer h2').textContent`))
	assert.Contains(t, evaluate[string](b, `document.querySelector('.drawer .timeline').innerText`), "connection.close")
	assert.Equal(t, want[0].ChannelID, evaluate[string](b, `document.querySelector('.drawer .id').textContent`))
	assert.True(t, evaluate[bool](b, `document.activeElement.classList.contains('drawer')`))
	picture(t, b, "events-conversation.png")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`document.querySelector('.drawer .timeline') === null && document.querySelector('.drawer .list') !== null`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`document.querySelector('.drawer') === null`)
	evaluate[bool](b, `[...document.querySelectorAll('.events button')].find((button) => button.textContent.startsWith('Events')).focus() === undefined`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('.drawer') !== null`)
	assert.Equal(t, "Stream trouble", evaluate[string](b, `document.querySelector('.drawer h2').textContent`))
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`document.querySelector('.drawer') === null`)
	assert.True(t, evaluate[bool](b, `document.activeElement.textContent.startsWith('Events')`), "the focus is where it was")

	// A violation shows its frame, redacted.
	b.open(fmt.Sprintf("%s/?theme=light&events=%s/%s;trouble", q.store.url, to.Add(-time.Minute).UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)))
	b.until(`document.querySelector('.drawer .detail pre') !== null`)
	assert.Contains(t, evaluate[string](b, `document.querySelector('.drawer .detail pre').textContent`), "protocol.violation")
	assert.Empty(t, b.complained())
}

// channels are those of events, as many as the drawer lists.
func channels(events []storedEvent) (ids []string) {
	for _, event := range events[:min(len(events), 200)] {
		ids = append(ids, event.ChannelID)
	}
	return ids
}

func shownChannels(b *browser) []string {
	return evaluate[[]string](b, `[...document.querySelectorAll('.drawer .list tbody tr[data-channel]')].map((row) => row.dataset.channel)`)
}

// Without a store of events the drawer says how to configure one, and links to where they are.
func TestPageSaysHowToStoreEvents(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	d := startDashboard(t, platform, "WINDOW_SIZE=10s", "WINDOW_OVERLAP=1s", "WINDOW_OFFSET=2s", "ALLOWED_LATENESS=2s")
	startHistory(t, d)
	b := startBrowser(t)
	b.open(d.url + "/?events=2026-01-01T00:00:00Z/2026-01-01T00:01:00Z;drops")
	b.until(`document.querySelector('.drawer .howto') !== null`)
	assert.Contains(t, evaluate[string](b, `document.querySelector('.drawer .howto').innerText`), "logs_endpoint: "+d.url)
	assert.Empty(t, b.asked("/api/v1/events"))
	status, body, err := get(d.url + "/api/v1/events")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, status)
	assert.Contains(t, strings.ToLower(body), "events::directory")
}

// picture leaves a picture of the window in build/screenshots.
func picture(t testing.TB, b *browser, name string) {
	t.Helper()
	folder := filepath.Join("..", "build", "screenshots")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	b.do(chromedp.Sleep(300 * time.Millisecond)) // for charts that follow the size
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), picture, 0o600))
}
