// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// sums are the OTLP names of the totals, with their share of what the platform sent.
var sums = map[string]func(sim.Counts) int64{
	"ws.connections.opened":  func(c sim.Counts) int64 { return c.ConnectionsOpened },
	"ws.connections.closed":  func(c sim.Counts) int64 { return c.ConnectionsClosed },
	"ws.connections.dropped": func(c sim.Counts) int64 { return c.ConnectionsDropped },
	"ws.messages.sent":       func(c sim.Counts) int64 { return c.MessagesSent },
	"ws.messages.received":   func(c sim.Counts) int64 { return c.MessagesReceived },
	"ws.payload":             func(c sim.Counts) int64 { return c.PayloadBytes },
}

// seriesTotals are what a store has: the last value of each sum of each series, by OTLP name.
type seriesTotals map[string]map[sim.Series]int64

func (found seriesTotals) put(name string, series sim.Series, value int64) {
	if found[name] == nil {
		found[name] = map[sim.Series]int64{}
	}
	found[name][series] = value
}

// disagreement reports where a store has another number than the platform sent.
func (found seriesTotals) disagreement(truth sim.Truth) error {
	var errs []error
	for name, of := range sums {
		for _, series := range truth.Series {
			if want := of(series.Counts); found[name][series.Series] != want {
				errs = append(errs, fmt.Errorf("%s%v is %d, the platform sent %d", name, series.Series, found[name][series.Series], want))
			}
		}
		if len(found[name]) > len(truth.Series) {
			errs = append(errs, fmt.Errorf("%s has %d series, the platform %d", name, len(found[name]), len(truth.Series)))
		}
	}
	return errors.Join(errs...)
}

// systems are the columns of the table of docs/reliability.md: each is a shipped configuration and a server, and returns the totals
// that the server has once they are all there.
var systems = []struct {
	name   string
	totals func(t *testing.T, r recording) seriesTotals
}{
	{"Prometheus", func(t *testing.T, r recording) seriesTotals {
		server := startPrometheus(t, "127.0.0.1:1")
		r.into(t, "prometheus-otlp.yaml", "PROMETHEUS_URL="+server.url)
		return r.arrived(t, server.totals)
	}},
	{"InfluxDB", func(t *testing.T, r recording) seriesTotals {
		server := startInfluxDB(t)
		server.create(t, "ccaas", "90d")
		r.into(t, "influxdb.yaml", "INFLUXDB_URL="+server.url)
		found := r.arrived(t, func() (seriesTotals, error) { return server.totals("ccaas") })
		r.checkInfluxDBPanels(t, server)
		return found
	}},
	{"PostgreSQL", func(t *testing.T, r recording) seriesTotals {
		server := startPostgres(t)
		server.serve()
		server.ready(t)
		r.into(t, "timescaledb.yaml", "TIMESCALEDB_URL="+server.url)
		found := r.arrived(t, func() (seriesTotals, error) { return server.totals(t) })
		r.checkSQLPanels(t, server)
		return found
	}},
	{"TimescaleDB", func(t *testing.T, r recording) seriesTotals {
		server := startTimescaleDB(t)
		r.into(t, "timescaledb.yaml", "TIMESCALEDB_URL="+server.url)
		found := r.arrived(t, func() (seriesTotals, error) { return server.totals(t) })
		r.checkSQLPanels(t, server)
		return found
	}},
	{"OpenSearch", func(t *testing.T, r recording) seriesTotals {
		url := startOpenSearch(t)
		setUpOpenSearch(t, url)
		r.into(t, "elastic-bulk.yaml", "ELASTICSEARCH_URL="+url, "ELASTIC_API_KEY=the-key")
		found := r.arrived(t, func() (seriesTotals, error) { return openSearchTotals(url) })
		r.checkKibanaPanels(t, url)
		return found
	}},
	{"Kafka → windows", func(t *testing.T, r recording) seriesTotals {
		platform := r.platform(t)
		set := startTier(t, platform)
		has(t, set.startWindows(t))
		r.replay(t, platform)
		return r.arrived(t, set.windows.seriesTotals)
	}},
	{"embedded store", func(t *testing.T, r recording) seriesTotals {
		platform := r.platform(t)
		q := startFaultQuickstart(t, platform, "kill.yaml")
		r.replay(t, platform)
		return r.arrived(t, q.store.totals)
	}},
}

// The same ten minutes into every system: the same totals, series by series. The table is in docs/reliability.md.
func TestSystems_SameTotals(t *testing.T) {
	t.Parallel()
	r := record(t, time.Now().Truncate(time.Second))
	page, err := os.ReadFile("../docs/reliability.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), r.table(), "the table of docs/reliability.md")
	for _, system := range systems {
		t.Run(system.name, func(t *testing.T) {
			t.Parallel()
			found := system.totals(t, r)
			assert.NoError(t, found.disagreement(r.truth))
		})
	}
}

// table has a row for each series and total, and a column for each system. The test above holds every system against the first column.
func (r recording) table() string {
	var text strings.Builder
	text.WriteString("| series | total | sent |")
	for _, system := range systems {
		text.WriteString(" " + system.name + " |")
	}
	text.WriteString("\n|---|---|" + strings.Repeat("---:|", len(systems)+1) + "\n")
	for _, series := range r.truth.Series {
		for _, name := range slices.Sorted(maps.Keys(sums)) {
			fmt.Fprintf(&text, "| %s, %s, %s | `%s` |%s\n", series.TenantID, series.Region, series.ChannelType, name,
				strings.Repeat(fmt.Sprintf(" %d |", sums[name](series.Counts)), len(systems)+1))
		}
	}
	return text.String()
}

// platform is one that sends only what the recording has.
func (r recording) platform(t testing.TB) *sim.Server {
	t.Helper()
	return startPlatform(t, func(c *sim.Config) { c.Silent = true })
}

// into replays the recording into a shipped configuration, with its windows as they are.
func (r recording) into(t testing.TB, config string, environment ...string) *process {
	t.Helper()
	platform := r.platform(t)
	collector := shipped(t, config, append(environment, socketURL(platform)), noOwnMetrics)
	r.replay(t, platform)
	return collector
}

// arrived waits until all totals are there, and returns them.
func (r recording) arrived(t testing.TB, totals func() (seriesTotals, error)) (found seriesTotals) {
	t.Helper()
	eventually(t, func() (err error) {
		if found, err = totals(); err == nil {
			err = found.disagreement(r.truth)
		}
		return err
	})
	return found
}

// installed is the path of a server's program. A machine without it skips the test.
func installed(t testing.TB, what, program string, patterns ...string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	message := what + " is not installed, which make servers does with apt-get as root: nothing is tested against it"
	skip(t, "%s", message)
	return ""
}

// unprivileged makes a command run in folder, as the user nobody where the tests are run by root: servers of databases
// refuse to be root's.
func unprivileged(t testing.TB, command *exec.Cmd, folder string) *exec.Cmd {
	t.Helper()
	command.Dir = folder
	if os.Getuid() != 0 {
		return command
	}
	uid, gid := nobody(t)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // 65534
	return command
}

func nobody(t testing.TB) (uid, gid int) {
	t.Helper()
	found, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err = strconv.Atoi(found.Uid)
	require.NoError(t, err)
	gid, err = strconv.Atoi(found.Gid)
	require.NoError(t, err)
	return uid, gid
}

// serverFolder is a folder of a server that runs unprivileged; that of t.TempDir is in one that only its user may enter.
func serverFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "e2e-server-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	disown(t, folder)
	return folder
}

// disown gives a file or a folder to the user of unprivileged.
func disown(t testing.TB, path string) {
	t.Helper()
	if os.Getuid() == 0 {
		uid, gid := nobody(t)
		require.NoError(t, os.Chown(path, uid, gid))
	}
}
