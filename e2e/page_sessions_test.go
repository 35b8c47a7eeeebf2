// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// markedPixels counts the pixels of the chart of the drop rate that have the colour of marks, which
// nothing else in it has.
const markedPixels = `(() => {
	const canvas = document.querySelector('.drops canvas');
	const probe = document.createElement('canvas').getContext('2d');
	probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--text').trim();
	probe.fillRect(0, 0, 1, 1);
	const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
	const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
	let count = 0;
	for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) count++;
	return count;
})()`

// The page of the quick start draws the percentiles of the duration of sessions and of the first reply, as the store has them,
// and lists the sessions that ended in a window, those with a trace marked. The pictures of it are left in build/screenshots.
func TestPageShowsSessions(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce = 120, 100, true
		c.Tenants, c.Regions = []string{"acme_corp", "globex"}, []string{"us-east-1", "eu-west-1"}
		c.Trouble.BurstEvery, c.Trouble.BurstDuration, c.Trouble.BurstDropRate = 20*time.Second, 5*time.Second, 80
	})
	q := startFaultQuickstart(t, platform, "page.yaml")
	q.connected(t)
	eventually(t, func() error {
		samples, err := q.store.query(`histogram_count(sum(rate(ws_session_first_reply_seconds{outcome="dropped"}[1m]))) > 0`)
		if err == nil && len(samples) == 0 {
			err = errors.New("no session with a reply has been dropped yet")
		}
		return err
	})
	b := startBrowser(t)
	b.do(chromedp.EmulateViewport(1600, 1400))
	b.open(q.store.url + "/?theme=light")
	b.until(`document.querySelector('.sessions-duration canvas') !== null && document.querySelector('.sessions-reply canvas') !== null`)
	for _, number := range []string{"session-duration", "session-reply"} {
		b.until(fmt.Sprintf(`Number(document.querySelector('data[data-number=%q]')?.value) > 0`, number))
	}
	for _, panel := range []string{"duration", "reply"} {
		legend := evaluate[string](b, fmt.Sprintf(`document.querySelector('.sessions-%s .legend').innerText`, panel))
		for _, percentile := range []string{"p50", "p95", "p99"} {
			assert.Regexp(t, percentile+` [0-9]`, legend)
		}
	}
	// The sampled ones of those that were dropped are marked on the chart of the drop rate.
	b.until(`Number(document.querySelector('.drops .legend .marks b')?.textContent) > 0`)
	b.until(markedPixels + ` > 20`)
	evaluate[bool](b, `document.querySelector('.drops').scrollIntoView({ block: 'center' }) === undefined`)
	picture(t, b, "sessions-marks.png")
	evaluate[bool](b, `document.querySelector('.sessions-duration').scrollIntoView({ block: 'center' }) === undefined`)
	picture(t, b, "sessions.png")

	to := time.Now().Truncate(time.Millisecond)
	from := to.Add(-time.Minute)
	records := storedEvents(t, q.store.url, from, to, "type", "ws_session")
	require.NotEmpty(t, records)
	b.open(fmt.Sprintf("%s/?theme=light&events=%s/%s;sessions", q.store.url, from.UTC().Format("2006-01-02T15:04:05.000Z"), to.UTC().Format("2006-01-02T15:04:05.000Z")))
	b.until(`document.querySelector('.drawer .list tbody tr') !== null && document.querySelector('.drawer .counts') !== null`)
	assert.Equal(t, "Ended sessions", evaluate[string](b, `document.querySelector('.drawer h2').textContent`))
	require.Len(t, shownChannels(b), min(len(records), 200))
	list := evaluate[string](b, `document.querySelector('.drawer .list').innerText`)
	assert.Contains(t, list, "dropped, after ")
	assert.Contains(t, list, "with a trace")
	picture(t, b, "sessions-list.png")

	// From a dropped session to its conversation, with its record.
	evaluate[bool](b, `[...document.querySelectorAll('.drawer .list tbody tr')].find((row) => row.innerText.includes('dropped, after'))
		.querySelector('.channel button').click() === undefined`)
	b.until(`document.querySelector('.drawer .session') !== null && document.querySelectorAll('.drawer .timeline li').length > 0`)
	assert.Regexp(t, `outcome\s+dropped`, evaluate[string](b, `document.querySelector('.drawer .session').innerText`))
	assert.Contains(t, evaluate[string](b, `document.querySelector('.drawer .timeline').innerText`), "connection.close")
	picture(t, b, "sessions-conversation.png")
	assert.Empty(t, b.complained())
}
