// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// What went wrong shows, each thing where it belongs. The pictures of it are left in
// build/screenshots.
func TestPageShowsWhatWentWrong(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	d := startDashboard(t, platform, "WINDOW_SIZE=10s", "WINDOW_OVERLAP=1s", "WINDOW_OFFSET=2s", "ALLOWED_LATENESS=2s")
	e := startHistory(t, d)
	b := startBrowser(t)
	b.open(d.url)
	text := func(selector string) string {
		return evaluate[string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((element) => element.innerText).join('\n')`, selector))
	}

	// The campaign fires, and the limits are drawn over the line.
	b.until(`document.querySelector('.firing') !== null`)
	assert.Contains(t, text(".firing"), "3 alerts firing")
	assert.Contains(t, text(".alerts .episodes:not(.ended)"), "ws_active_connections_high")
	for _, limit := range []string{"baseline", "threshold"} {
		assert.Contains(t, text(".connections .legend"), limit)
	}
	assert.Contains(t, text(".drops .legend"), "threshold, for 2 windows 0.5 %")
	// The burst and the skew did fire.
	assert.Contains(t, text(".alerts .episodes.ended"), "ws_connection_drop_rate")
	assert.Contains(t, text(".alerts .episodes.ended"), "ws_clock_skew")
	// The gap is between two windows that are not complete, on the streams that it struck. That of
	// one stream is healed, that of the other is open.
	for stream, numbers := range map[string]map[string]int{
		"eu-west-1/acme_corp": {"healed": 1, "partial": 0, "none": 0}, "eu-west-1/globex": {"healed": 0, "partial": 2, "none": 1},
	} {
		for kind, number := range numbers {
			assert.Equal(t, number, evaluate[int](b, fmt.Sprintf(`document.querySelectorAll('[data-stream=%q] rect.%s').length`, stream, kind)), "%s of %s", kind, stream)
		}
	}
	assert.Contains(t, text(".streams .legend"), "gap, healed")
	assert.Equal(t, 1, evaluate[int](b, `document.querySelectorAll('[data-stream="us-east-1/globex"] rect').length`))
	assert.Equal(t, "6", evaluate[string](b, `String(document.querySelectorAll('[data-stream]').length)`))

	// The pointer over one chart reads them all at that time.
	box := evaluate[[2]float64](b, `(() => {
		const { left, top, width, height } = document.querySelector('.connections .timechart').getBoundingClientRect();
		return [left + width / 2, top + height / 2];
	})()`)
	b.do(chromedp.MouseEvent(chromedp.MouseMoved, box[0], box[1]))
	b.until(`document.querySelectorAll('.crosshair').length === 5`)
	times := evaluate[[]string](b, `[...document.querySelectorAll('.legend .at')].map((time) => time.textContent)`)
	require.Len(t, times, 5)
	assert.Regexp(t, `^\d\d:\d\d:\d\d$`, times[0])
	assert.Equal(t, []string{times[0]}, slices.Compact(times))

	folder := filepath.Join("..", "build", "screenshots")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, theme := range []string{"light", "dark"} {
		for _, size := range [][2]int64{{1920, 1080}, {1280, 800}, {390, 844}} {
			e.write(t, d)
			b.do(chromedp.EmulateViewport(size[0], size[1]))
			b.open(d.url + "?theme=" + theme)
			b.until(`document.querySelector('.busiest tbody tr') !== null`)
			assert.LessOrEqual(t, evaluate[int64](b, `document.documentElement.scrollWidth`), size[0], "nothing is wider than the screen")
			b.do(chromedp.Sleep(300 * time.Millisecond)) // for charts that follow the size
			picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("page-%s-%d.png", theme, size[0])), picture, 0o600))
		}
	}
	assert.Empty(t, b.complained())
}
