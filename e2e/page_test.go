// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// dashboard is a collector with the store and the page.
type dashboard struct {
	url       string
	telemetry string
	collector *process
	api       prometheus
}

func startDashboard(t testing.TB, platform *sim.Server, environment ...string) dashboard {
	t.Helper()
	return startDashboardWith(t, platform, nil, environment...)
}

// startDashboardWith starts one with more configuration.
func startDashboardWith(t testing.TB, platform *sim.Server, arguments []string, environment ...string) dashboard {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	telemetry := freePort(t)
	d := dashboard{
		url:       "http://" + address + "/",
		telemetry: fmt.Sprintf("http://127.0.0.1:%d/metrics", telemetry),
		api:       prometheus{url: "http://" + address},
	}
	d.collector = start(t, "otelcol-ccaas", append([]string{
		"DASHBOARD=" + address,
		"STORE=" + t.TempDir(),
		fmt.Sprintf("TELEMETRY_PORT=%d", telemetry),
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
	}, environment...), append([]string{"--config", "testdata/page.yaml"}, arguments...)...)
	eventually(t, func() error {
		status, body, err := get(d.url + "healthz")
		if err == nil && status != 200 {
			err = fmt.Errorf("the dashboard is not ready: %d %s", status, body)
		}
		return err
	})
	return d
}

// schedule is when windows end and pages poll, in ms.
type schedule struct{ window, step, offset int64 }

func (d dashboard) schedule(t testing.TB) schedule {
	t.Helper()
	_, body, err := get(d.url + "api/page")
	require.NoError(t, err)
	var page struct{ WindowSeconds, StepSeconds, OffsetSeconds float64 }
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	return schedule{int64(page.WindowSeconds * 1000), int64(page.StepSeconds * 1000), int64(page.OffsetSeconds * 1000)}
}

// poll is the number of the last poll that is due at a time. Polls are a window's length apart.
func (s schedule) poll(at time.Time) int64 { return (at.UnixMilli() - s.offset) / s.window }

// end is when the newest window that can be polled has ended.
func (s schedule) end(at time.Time) time.Time {
	return time.UnixMilli((at.UnixMilli()-s.offset-s.window)/s.step*s.step + s.window)
}

// waitForPolls waits until the time of so many polls is past.
func (d dashboard) waitForPolls(t testing.TB, polls int64) {
	t.Helper()
	s := d.schedule(t)
	last := s.poll(time.Now()) + polls
	eventually(t, func() error {
		if s.poll(time.Now().Add(-time.Duration(s.window/2)*time.Millisecond)) < last {
			return fmt.Errorf("poll %d is not past", last)
		}
		return nil
	})
}

// eventually waits for what the server has, and asks no faster than a page: once for each poll.
func (s schedule) eventually(t testing.TB, check func() error) {
	t.Helper()
	asked, err := int64(-1), error(nil)
	eventually(t, func() error {
		if poll := s.poll(time.Now()); poll != asked {
			asked, err = poll, check()
		}
		return err
	})
}

// share is the part of the truth that has a region; all with none.
func share(truth sim.Truth, region string) (counts sim.Counts, open int64) {
	for _, series := range truth.Series {
		if region != "" && series.Region != region {
			continue
		}
		open += series.Open
		counts.ConnectionsOpened += series.ConnectionsOpened
		counts.ConnectionsClosed += series.ConnectionsClosed
		counts.ConnectionsDropped += series.ConnectionsDropped
		counts.MessagesSent += series.MessagesSent
		counts.MessagesReceived += series.MessagesReceived
		counts.PayloadBytes += series.PayloadBytes
	}
	return counts, open
}

// agrees says where the page has another number than the platform.
func (b *browser) agrees(truth sim.Truth, region string) error {
	counts, open := share(truth, region)
	want := map[string]int64{
		"connections":         open,
		"messages_sent":       counts.MessagesSent,
		"messages_received":   counts.MessagesReceived,
		"payload_bytes":       counts.PayloadBytes,
		"connections_opened":  counts.ConnectionsOpened,
		"connections_closed":  counts.ConnectionsClosed,
		"connections_dropped": counts.ConnectionsDropped,
	}
	numbers := b.shown().Numbers
	for name, value := range want {
		if int64(numbers[name]) != value {
			return fmt.Errorf("region %q: %s is %v on the page, the platform has %d", region, name, numbers[name], value)
		}
		if added, reported := numbers[name+".added"]; reported && int64(added) != value {
			return fmt.Errorf("region %q: %s in this range is %v on the page, the platform sent %d", region, name, added, value)
		}
	}
	return nil
}

func TestPageShowsWhatThePlatformSent(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce, c.Sessions, c.DropRate = 300, 3_000, true, 120, 10
		c.Trouble.Malformed = 0.01
	})
	d := startDashboard(t, platform)
	s := d.schedule(t)
	b := startBrowser(t)
	b.open(d.url)

	// While there is traffic, the page has the numbers that the query API has for its window.
	b.until(`Number(document.querySelector('data[data-number=messages]')?.value) > 0`)
	now := b.shown()
	for name, metric := range map[string]string{
		"connections": "ws_active_connections", "messages": "ws_messages_per_second", "throughput": "ws_payload_throughput_bytes_per_second",
	} {
		expression := fmt.Sprintf("sum(last_over_time(%s[%dms] @ %d.%03d))", metric, s.step, now.Window/1000, now.Window%1000)
		samples, err := d.api.query(expression)
		require.NoError(t, err)
		require.Len(t, samples, 1, expression)
		assert.InDelta(t, samples[0].value, now.Numbers[name], 1e-6, name)
	}

	// When it has ended, the totals are the platform's, of all regions and of each.
	truth := sent(t, platform)
	eventually(t, func() error { return b.agrees(truth, "") })
	violations := int64(0)
	for _, n := range truth.Violations {
		violations += n
	}
	assert.Equal(t, violations, int64(b.shown().Numbers["protocol_violations"]))
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		b.choose("Region", region)
		eventually(t, func() error { return b.agrees(truth, region) })
		assert.Equal(t, "?region="+region, evaluate[string](b, `location.search`))
	}
	b.do(chromedp.NavigateBack()) // a choice is a step that one can go back on
	eventually(t, func() error { return b.agrees(truth, "eu-west-1") })
	assert.Empty(t, b.complained())
}

func TestPageShowsTheTimeThatIsChosen(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
	d := startDashboard(t, platform)
	b := startBrowser(t)
	b.open(d.url + "?theme=dark")
	b.until(`document.querySelector('data[data-number=messages]') !== null`)
	const points = `document.querySelectorAll('.messages tbody tr').length`
	b.press("Table of Messages per second")
	b.until(points + ` > 0`)
	quarter := evaluate[int](b, points)

	b.press("1h")
	b.until(fmt.Sprintf(`%s !== %d`, points, quarter)) // another range has other points
	assert.Equal(t, "?range=1h&theme=dark", evaluate[string](b, `location.search`))
	assert.Equal(t, "1h", evaluate[string](b, `document.querySelector('.range [aria-pressed=true]').textContent`))
	b.press("Table of Messages per second")

	// Dragging over a chart chooses what is under it.
	box := evaluate[[4]float64](b, `(() => {
		const { left, top, width, height } = document.querySelector('.connections .timechart').getBoundingClientRect();
		return [left, top, width, height];
	})()`)
	middle := box[1] + box[3]/2
	b.do(chromedp.DragAndDropXY(box[0]+box[2]*0.5, middle, box[0]+box[2]*0.9, middle))
	b.until(`new URLSearchParams(location.search).has('from')`)
	span := evaluate[float64](b, `(() => {
		const chosen = new URLSearchParams(location.search);
		return (Date.parse(chosen.get('to')) - Date.parse(chosen.get('from'))) / 60_000;
	})()`)
	assert.InDelta(t, 0.4*60, span, 4, "minutes")
	b.until(`document.querySelector('.status.fixed') !== null`)

	// A time that is over is not asked for again, and one without windows says so.
	b.open(d.url + "?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z")
	b.until(`document.querySelector('.connections .message') !== null`)
	polled := len(b.asked("api/page"))
	d.waitForPolls(t, 2)
	assert.Len(t, b.asked("api/page"), polled)
	b.press("Back to live")
	b.until(`document.querySelector('.status.live') !== null && location.search === ''`)

	// Whatever the address says is a name, and neither markup nor a query.
	for _, name := range []string{`"}) or vector(1) or ({a="`, `<img src=x onerror=console.error(1)>`, "\\", "a\x00b\n", "ключ", "(["} {
		b.open(d.url + "?region=" + url.QueryEscape(name) + "&tenant=" + url.QueryEscape(name))
		b.until(`document.querySelector('.status.empty') !== null`)
		assert.Equal(t, name, evaluate[string](b, `new URLSearchParams(location.search).get('region')`))
		assert.Zero(t, evaluate[int](b, `document.querySelectorAll('img, main [role=alert]').length`), name)
	}
	assert.Empty(t, b.complained())
}

// No faster than a window lasts: every 10 s, 2 s after multiples of 10 s.
func TestPage_PollsOncePerWindowLength(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 50, true })
	d := startDashboard(t, platform, "WINDOW_SIZE=10s", "WINDOW_OVERLAP=1s", "WINDOW_OFFSET=2s", "ALLOWED_LATENESS=2s")
	s := d.schedule(t)
	require.Equal(t, schedule{10_000, 9_000, 2_000}, s)
	b := startBrowser(t)
	b.open(d.url)
	eventually(t, func() error {
		if n := len(b.asked("api/page")); n < 4 {
			return fmt.Errorf("%d polls", n)
		}
		return nil
	})
	requests := map[string][]int64{}
	for _, request := range b.asked("/api/") {
		path, query, _ := strings.Cut(strings.TrimPrefix(request.url, d.url), "?")
		if path == "api/v1/query_range" || path == "api/v1/query" { // distinguished by their query
			start := strings.Index(query, "query=")
			path += "?" + strings.SplitN(query[start:], "&", 2)[0]
		}
		requests[path] = append(requests[path], s.poll(request.at))
	}
	polls := requests["api/page"]
	require.GreaterOrEqual(t, len(polls), 4)
	for i, number := range polls[1:] {
		assert.Equal(t, polls[i]+1, number, "each poll is sent, and none twice: %v", polls)
	}
	for path, numbers := range requests {
		assert.Equal(t, slices.Compact(slices.Clone(numbers)), numbers, "%s is fetched once per poll", path)
	}
	assert.Greater(t, len(requests), 10, "%v", slices.Collect(maps.Keys(requests)))

	// Hidden, it does not poll; shown again, it does at once, and then continues as before.
	hide := func(hidden bool) {
		evaluate[bool](b, fmt.Sprintf(`(() => {
			Object.defineProperty(document, 'hidden', { configurable: true, get: () => %v });
			return document.dispatchEvent(new Event('visibilitychange'));
		})()`, hidden))
	}
	hide(true)
	before := len(b.asked("api/page"))
	d.waitForPolls(t, 2)
	assert.Len(t, b.asked("api/page"), before)
	hide(false)
	eventually(t, func() error {
		if len(b.asked("api/page")) == before {
			return errors.New("it has not polled since it is shown again")
		}
		return nil
	})
	assert.Empty(t, b.complained())
}

func TestPageShowsThatAStreamHasStopped(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
	d := startDashboard(t, platform)
	s := d.schedule(t)
	b := startBrowser(t)
	b.open(d.url)
	b.until(`document.querySelector('.status.live') !== null && document.querySelectorAll('[data-stream].complete').length === 4`)

	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.UpgradeFail = sim.Failure{Status: 503} }))
	platform.Reset()
	stopped := time.Now().UnixMilli()
	// The second window that ends after it is not calm.
	b.until(fmt.Sprintf(`Number(document.querySelector('main').dataset.window) > %d`, stopped+s.step))
	assert.False(t, evaluate[bool](b, `document.querySelector('.status.live') !== null`), evaluate[string](b, `document.body.innerText`))
	assert.Zero(t, evaluate[int](b, `document.querySelectorAll('[data-stream].complete').length`))
	b.until(`document.querySelectorAll('[data-stream].stopped').length === 4`)
	b.until(`document.querySelector('.connections .absent') !== null`)

	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.UpgradeFail = sim.Failure{} }))
	b.until(`document.querySelector('.status.live') !== null`)

	// A server that is gone is said to be gone, and what was known stays.
	d.collector.stop(t)
	b.until(`document.querySelector('.status.error') !== null`)
	assert.NotEmpty(t, b.shown().Numbers)
}

// While downstream takes no events nothing is read, and the page says so; when it takes them again,
// nothing is left of that.
func TestPageSaysThatNothingIsRead(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
	archive := freePort(t)
	d := startDashboardWith(t, platform, []string{"--config", fmt.Sprintf(`yaml:
exporters:
  otlp_http/archive:
    endpoint: http://127.0.0.1:%d
    sending_queue: { enabled: false }
    retry_on_failure: { initial_interval: 500ms, max_interval: 1s, max_elapsed_time: 0s }
service:
  pipelines:
    logs/archive: { receivers: [ccaas_ws], exporters: [otlp_http/archive] }
`, archive)})
	b := startBrowser(t)
	b.open(d.url)
	b.until(`document.querySelector('.banner')?.innerText.startsWith('We are not reading (ccaas_ws): ') === true`)
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join("..", "build", "screenshots"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join("..", "build", "screenshots", "page-not-reading.png"), picture, 0o600))

	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", archive))
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	b.until(`document.querySelector('.banner') === null && document.querySelector('.status.live') !== null`)
}

func TestPageIsUsedWithTheKeyboard(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
	d := startDashboard(t, platform)
	b := startBrowser(t)
	b.open(d.url)
	b.until(`document.querySelector('.busiest button') !== null`)

	// The tab key comes to every control.
	evaluate[bool](b, `document.addEventListener('focusin', (event) => window.reached.add(event.target)) === undefined`)
	eventually(t, func() error { // a window that arrives in the middle may change the controls
		controls := evaluate[int](b, `(() => {
			window.reached = new Set();
			document.activeElement?.blur();
			return [...document.querySelectorAll('button, select, a[href], [tabindex]')].filter((control) => control.checkVisibility()).length;
		})()`)
		require.Greater(t, controls, 20)
		for range controls + 1 { // the browser has a stop of its own between the last control and the first
			b.do(chromedp.KeyEvent(kb.Tab))
		}
		if reached := evaluate[int](b, `window.reached.size`); reached != controls {
			return fmt.Errorf("the tab key reaches %d of %d controls", reached, controls)
		}
		return nil
	})

	// And the keys work them.
	focus := func(selector string) {
		evaluate[bool](b, fmt.Sprintf(`document.querySelector(%q).focus() === undefined`, selector))
	}
	focus(`select[name="Region"]`)
	b.do(chromedp.KeyEvent("eu"))
	b.until(`location.search === '?region=eu-west-1'`)
	focus(`[aria-haspopup="dialog"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('dialog').open`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('dialog').open`)
	focus(`.connections header button`)
	b.do(chromedp.KeyEvent(" "))
	b.until(`document.querySelector('.connections table') !== null`)

	// A screen reader has a name for everything that it comes to.
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	require.NoError(t, err)
	text := func(value *accessibility.Value) string {
		if value == nil {
			return ""
		}
		return strings.Trim(string(value.Value), `"`)
	}
	named := map[string]int{}
	for _, node := range tree.Nodes {
		switch role := text(node.Role); role {
		case "button", "combobox", "link", "image", "region", "table", "textbox":
			if !node.Ignored {
				named[role]++
				assert.NotEmpty(t, text(node.Name), "a %s has no name", role)
			}
		}
	}
	for _, role := range []string{"button", "combobox", "link", "image", "region", "table"} {
		assert.NotZero(t, named[role], role)
	}
	assert.Empty(t, b.complained())
	for _, request := range b.asked("") {
		if !strings.HasPrefix(request.url, "data:") { // a picture in the browser's own controls
			assert.True(t, strings.HasPrefix(request.url, d.url), "%s is asked of somebody else", request.url)
		}
	}
}
