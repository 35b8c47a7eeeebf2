// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

const pageViewers = 8

// pageFigure is what the budgets say of the page.
type pageFigure struct {
	size                        float64 // bytes on the wire, compressed
	firstPicture                float64 // seconds from asking for the page; the median of several
	queriesOfOne, queriesOfMany float64 // that the database has to answer in a window
}

func pageFigures(b *testing.B) (figures pageFigure) {
	b.Helper()
	platform := startPlatform(b, func(c *sim.Config) { c.Silent = true })
	d := startDashboard(b, platform, "WINDOW_SIZE=10s", "WINDOW_OVERLAP=1s", "WINDOW_OFFSET=2s", "ALLOWED_LATENESS=2s")
	startHistory(b, d)

	figures.size = pageSize(b, d)
	tab := startBrowser(b)
	var times []float64
	for range 7 {
		tab.open(d.url)
		times = append(times, evaluate[float64](tab, `performance.getEntriesByName('first picture')[0].startTime / 1000`))
	}
	slices.Sort(times)
	figures.firstPicture = times[len(times)/2]

	figures.queriesOfOne = d.queriesOfAWindow(b)
	for range pageViewers - 1 { // further tabs of the same browser
		ctx, cancel := chromedp.NewContext(tab.ctx)
		defer cancel()
		require.NoError(b, chromedp.Do(ctx, chromedp.Navigate(d.url)))
	}
	figures.queriesOfMany = d.queriesOfAWindow(b)
	return figures
}

// pageSize is what a browser has to load before it asks for numbers.
func pageSize(b *testing.B, d dashboard) (size float64) {
	b.Helper()
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	load := func(path string) {
		request, err := http.NewRequest(http.MethodGet, d.url+path, nil)
		require.NoError(b, err)
		request.Header.Set("Accept-Encoding", "gzip")
		response, err := client.Do(request)
		require.NoError(b, err)
		defer response.Body.Close()
		n, err := io.Copy(io.Discard, response.Body)
		require.NoError(b, err)
		size += float64(n)
	}
	load("")
	_, text, err := get(d.url)
	require.NoError(b, err)
	for _, file := range regexp.MustCompile(`static/[^"]+`).FindAllString(text, -1) {
		load(file)
	}
	return size
}

// queriesOfAWindow is how many queries the database has answered between the polls
// of one window and the next.
func (d dashboard) queriesOfAWindow(b *testing.B) float64 {
	b.Helper()
	d.waitForPolls(b, 1)
	before := d.computed(b)
	d.waitForPolls(b, 1)
	return d.computed(b) - before
}

var answered = regexp.MustCompile(`^otelcol_dashboard_query_duration(_seconds)?_count[{ ]`)

// computed is how many queries were not answered with what another viewer had asked.
func (d dashboard) computed(b *testing.B) float64 {
	b.Helper()
	_, text, err := get(d.telemetry)
	require.NoError(b, err)
	count := 0.0
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if !answered.MatchString(lines.Text()) {
			continue
		}
		fields := strings.Fields(lines.Text())
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		require.NoError(b, err)
		count += value
	}
	require.Positive(b, count, text)
	return count
}

// BenchmarkPage prints the budgets of the page alone.
func BenchmarkPage(b *testing.B) {
	for b.Loop() {
		figures := pageFigures(b)
		b.ReportMetric(figures.size/1024, "KiB")
		b.ReportMetric(figures.firstPicture*1000, "ms/picture")
		b.ReportMetric(figures.queriesOfOne, "queries/window")
		b.ReportMetric(figures.queriesOfMany, fmt.Sprintf("queries/window-of-%d-viewers", pageViewers))
	}
}
