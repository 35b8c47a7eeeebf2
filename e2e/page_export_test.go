// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// A panel is saved as CSV and as PNG, and the link shows the same time later.
func TestPage_ExportsAndLinks(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Rate, c.Announce = 100, true })
	d := startDashboard(t, platform)
	b := startBrowser(t)
	folder := t.TempDir()
	b.open(d.url)
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdp.SetDownloadBehavior, cdp.SetDownloadBehaviorParams{
			Behavior: cdp.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
		})
		return err
	}))
	saved := func(name string) (content []byte) {
		eventually(t, func() (err error) {
			if content, err = os.ReadFile(filepath.Join(folder, name)); err == nil && len(content) == 0 {
				err = fmt.Errorf("%s is empty", name)
			}
			return err
		})
		return content
	}
	b.until(`document.querySelector('.messages canvas') !== null`)
	b.until(`Number(document.querySelector('data[data-number=messages]')?.value) > 0`)

	b.press("CSV of Messages per second")
	rows, err := csv.NewReader(bytes.NewReader(saved("messages.csv"))).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 1)
	assert.Equal(t, "time", rows[0][0])
	require.Greater(t, len(rows[0]), 1)
	counted := 0
	for _, row := range rows[1:] {
		_, err := time.Parse(time.RFC3339, row[0])
		require.NoError(t, err)
		for _, cell := range row[1:] {
			if cell == "" {
				continue // nothing is known of that time
			}
			value, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			if value > 0 {
				counted++
			}
		}
	}
	assert.Positive(t, counted)

	b.press("PNG of Messages per second")
	picture, err := png.Decode(bytes.NewReader(saved("messages.png")))
	require.NoError(t, err)
	colors := map[[3]uint32]bool{}
	for x := range picture.Bounds().Dx() {
		for y := range picture.Bounds().Dy() {
			red, green, blue, _ := picture.At(x, y).RGBA()
			colors[[3]uint32{red, green, blue}] = true
		}
	}
	assert.Greater(t, len(colors), 3, "it shows something")

	// The link has the time in view, and what it shows stays as it is.
	link := evaluate[string](b, `document.querySelector('a.link').href`)
	assert.Contains(t, link, "from=")
	assert.Contains(t, link, "to=")
	from := evaluate[string](b, `new URL(document.querySelector('a.link').href).searchParams.get('from')`)
	b.open(link)
	b.until(`document.querySelector('.status.fixed') !== null`)
	b.until(`document.querySelector('.messages canvas') !== null`)
	assert.Equal(t, link, evaluate[string](b, `document.querySelector('a.link').href`))
	assert.Equal(t, from, evaluate[string](b, `new URLSearchParams(location.search).get('from')`))
	assert.Empty(t, b.complained())
}
