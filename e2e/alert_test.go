// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// alerting is a collector that watches a platform and sends alerts to a webhook.
type alerting struct {
	collector   *process
	environment []string
	scrape      string
}

func startAlerting(t testing.TB, platform *sim.Server, sink string, environment ...string) *alerting {
	t.Helper()
	scrape := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	a := &alerting{scrape: "http://" + scrape + "/metrics"}
	a.environment = append([]string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1),
		"STATE=" + t.TempDir(),
		"SCRAPE=" + scrape,
		"SINK=" + sink,
	}, environment...)
	a.restart(t)
	return a
}

func (a *alerting) restart(t testing.TB) {
	t.Helper()
	a.collector = start(t, "otelcol-ccaas", a.environment, "--config", "testdata/alerts.yaml")
}

var firingPoint = regexp.MustCompile(`(?m)^ws_alert_firing\{.*\} (\S+)`)

// firing says how many of the rule's series fire, and how many there are.
func (a *alerting) firing() (firing, series int, err error) {
	_, page, err := get(a.scrape)
	for _, point := range firingPoint.FindAllStringSubmatch(page, -1) {
		series++
		if point[1] == "1" {
			firing++
		}
	}
	return firing, series, err
}

// waitForFiring waits until so many of the series fire.
func (a *alerting) waitForFiring(t testing.TB, want int) {
	t.Helper()
	eventually(t, func() error {
		firing, series, err := a.firing()
		if err == nil && (firing != want || series != alertSeries) {
			err = fmt.Errorf("%d of %d series fire, want %d of %d", firing, series, want, alertSeries)
		}
		return err
	})
}

// alertSeries is how many the platform of these tests has.
const alertSeries = 4

// startCalmPlatform starts a platform on which nothing drops but in a burst, in
// which connections of every series do for longer than any test waits.
func startCalmPlatform(t testing.TB) *sim.Server {
	t.Helper()
	return startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Announce, c.Sessions, c.Lossy, c.DropRate = 200, true, 200, true, 0
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp", "globex"}, []string{"us-east-1", "eu-west-1"}, []string{"webmessaging"}
	})
}

// burst lets connections drop until calm is called.
func burst(t testing.TB, platform *sim.Server) (calm func()) {
	t.Helper()
	change := func(share float64) {
		require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) {
			trouble.BurstEvery, trouble.BurstDuration, trouble.BurstDropRate = time.Second, time.Second, share
		}))
	}
	change(20)
	return func() {
		require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.BurstEvery = 0 }))
	}
}

// A fault of all tenants of a region has the domain platform, one of a single tenant there has tenant: at the latest when the
// alerts are repeated, for connections of two tenants need not drop in the same window first.
func TestAlert_FaultDomain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenant, domain string
		series         int
	}{
		"joint":  {"", "platform", 2},
		"single": {"acme_corp", "tenant", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startCalmPlatform(t)
			s := startSink(t, takes)
			a := startAlerting(t, platform, s.url, "REPEAT_INTERVAL=1s")
			a.waitForFiring(t, 0)
			require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.BurstRegion, trouble.BurstTenant = "eu-west-1", c.tenant }))
			burst(t, platform)
			eventually(t, func() error {
				latest := map[string]string{}
				for _, got := range s.taken() {
					if got.alert.Status == "firing" {
						latest[got.alert.series()] = got.alert.FaultDomain
					}
				}
				for series, domain := range latest {
					if domain != c.domain {
						return fmt.Errorf("%s: %s, want %s", series, domain, c.domain)
					}
				}
				if len(latest) != c.series {
					return fmt.Errorf("%v fire, want %d series", latest, c.series)
				}
				return nil
			})
		})
	}
}

// TestEveryAlertArrives ends the collector, in each way, while the sink is in
// trouble, in each way: with firing alerts on their way, and again with resolved ones behind
// them. All of them arrive, in order, and duplicates are recognisable.
func TestEveryAlertArrives(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]mood{"fails": fails, "hangs": hangs, "resets": resets} {
		for end, stop := range map[string]func(*process, testing.TB){"kill": (*process).kill, "SIGTERM": (*process).stop} {
			t.Run(name+"/"+end, func(t *testing.T) {
				t.Parallel()
				platform := startCalmPlatform(t)
				sink := startSink(t, trouble)
				a := startAlerting(t, platform, sink.url)
				a.waitForFiring(t, 0)

				calm := burst(t, platform)
				a.waitForFiring(t, alertSeries)
				eventually(t, func() error { return attempted(sink) })
				stop(a.collector, t)
				a.restart(t)
				a.waitForFiring(t, alertSeries)
				calm()
				a.waitForFiring(t, 0)
				stop(a.collector, t)
				assert.Empty(t, sink.taken())

				sink.set(takes)
				a.restart(t)
				eventually(t, func() error { return untold(sink.taken()) })
				a.collector.stop(t)
				checkEpisodes(t, sink)
			})
		}
	}
}

func attempted(s *sink) error {
	if len(s.all()) == 0 {
		return errors.New("the sink was not asked")
	}
	return nil
}

// untold says which series has not both fired and resolved, by what the sink has.
func untold(taken []webhook) error {
	last := map[string]string{}
	for _, w := range taken {
		last[w.alert.series()] = w.alert.Status
	}
	for series, status := range last {
		if status != "resolved" {
			return fmt.Errorf("%s is still %s", series, status)
		}
	}
	if len(last) != alertSeries {
		return fmt.Errorf("%d series have arrived, want %d", len(last), alertSeries)
	}
	return nil
}

// checkEpisodes holds what the sink got against what an episode is: it fires, then
// resolves, each message under an id of its own that it keeps.
func checkEpisodes(t *testing.T, s *sink) {
	t.Helper()
	reported := map[string][]string{} // by episode: statuses as taken, without repetition
	for _, w := range s.taken() {
		statuses := reported[w.alert.AlertID]
		if len(statuses) == 0 || statuses[len(statuses)-1] != w.alert.Status {
			reported[w.alert.AlertID] = append(statuses, w.alert.Status)
		}
	}
	for episode, statuses := range reported {
		// After a restart, the request that was in flight is the last in the queue: its firing
		// is superseded where the resolved was delivered meanwhile.
		assert.Contains(t, [][]string{{"firing", "resolved"}, {"resolved"}}, statuses, episode)
	}
	ids := map[string]string{} // by message
	for _, w := range s.all() {
		message := fmt.Sprint(w.alert.AlertID, w.alert.Status, w.alert.WindowEnd)
		if known, again := ids[message]; again {
			assert.Equal(t, known, w.id, "a duplicate has the id of the first")
		}
		ids[message] = w.id
		assert.Contains(t, reported, w.alert.AlertID, "every alert that was ever on its way has arrived")
		assert.Equal(t, "ws_connection_drop_rate", w.alert.Metric)
		assert.Contains(t, w.alert.Snapshot, "ws.active_connections")
	}
	different := map[string]bool{}
	for _, id := range ids {
		different[id] = true
	}
	assert.Len(t, different, len(ids), "different messages have different ids")
}
