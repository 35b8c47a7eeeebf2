// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// fullDisk is a disk of a writer, with what is printed when it is full and when it is not any more.
type fullDisk struct {
	name  string
	bytes int
	says  string
	again string
}

// The disk of each writer is full for a while: the collector lives, says so, goes on when
// there is room, and has counted every event in the end.
func TestFaultStateDiskFull(t *testing.T) {
	t.Parallel()
	disks := []fullDisk{
		{"state", 16 << 20, "State cannot be saved", "State is saved again"},
		{"metrics", 32 << 20, "Store does not accept samples until its disk is writable", "Store accepts samples again"},
		{"archive", 64 << 20, "Downstream refuses events", "Downstream takes events again"},
		{"events", 16 << 20, "Events are not stored", "Events are stored again"},
		{"letters", 1 << 20, "payload logged instead", "record kept as a dead letter"},
	}
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce = 150, 60, true
		c.Trouble.SinkFail = sim.Failure{Status: 400}
		c.Trouble.BurstEvery, c.Trouble.BurstDuration, c.Trouble.BurstDropRate = 4*time.Second, 2*time.Second, 60
		c.Trouble.BurstRegion = "eu-west-1"
	})
	q := prepareFaultQuickstart(t, platform, "disks.yaml")
	q.inNamespace(t, mountAll(q.data, disks))
	q.connected(t)
	full := amount(2*time.Second, 20*time.Second)
	for _, disk := range disks {
		t.Logf("%s is full", disk.name)
		before := strings.Count(q.output.String(), disk.again)
		free := q.fill(t, disk)
		eventually(t, func() error { return errors.Join(q.ended(), q.says(disk.says)) })
		time.Sleep(full)
		require.NoError(t, q.ended())
		free()
		eventually(t, func() error {
			if strings.Count(q.output.String(), disk.again) <= before {
				return fmt.Errorf("%s: it does not go on: %w", disk.name, errors.Join(q.ended(), q.says(disk.again)))
			}
			return nil
		})
	}
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	eventually(t, func() error { return q.store.disagreement(platform.Truth(), "") })
	assert.NotContains(t, q.output.String(), "panic")
	archived, torn := q.archived(t)
	assert.EqualValues(t, platform.Truth().Events, archived, "distinct events in the archive")
	measured(t, "the disks of state, store, archive, events and dead letters were full, one after the other, for %v and more: %d events, all in the totals and in the archive, which has %d torn lines",
		full, platform.Truth().Events, torn)
}

// mountAll is a script that gives each disk a file system of its own.
func mountAll(data string, disks []fullDisk) string {
	var script strings.Builder
	for _, disk := range disks {
		path := filepath.Join(data, disk.name)
		fmt.Fprintf(&script, "mkdir -p '%s' && mount -t tmpfs -o size=%d none '%s' && ", path, disk.bytes, path)
	}
	return script.String()
}

// inNamespace starts the collector where mounts are its own, after a script that ends with "&& ".
func (q *faultQuickstart) inNamespace(t testing.TB, script string) {
	t.Helper()
	if err := exec.Command("unshare", "--mount", "true").Run(); err != nil {
		skip(t, "file systems cannot be mounted (it takes root and unshare): %v", err)
	}
	q.accepted = q.platform.Truth().Sockets.Accepted
	command := exec.Command("unshare", "--mount", "sh", "-c", script+`exec "$0" "$@"`,
		built(t, "otelcol-ccaas"), "--config", "../config/quickstart.yaml", "--config", "testdata/fault/"+q.change)
	command.Env = append(os.Environ(), q.environment...)
	q.process = startCommand(t, "otelcol-ccaas", command)
}

// seen is a path as the process sees it, whose mounts are its own.
func (q *faultQuickstart) seen(path string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", q.Process.Pid), q.data, path)
}

// archived counts the distinct events in the archive, and lines that begin with a part
// of one that did not fit.
func (q *faultQuickstart) archived(t testing.TB) (events, torn int) {
	t.Helper()
	text, err := os.ReadFile(q.seen("archive/events.jsonl"))
	require.NoError(t, err)
	ids := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if !json.Valid([]byte(line)) {
			torn++ // the next complete one is behind it
			line = line[max(0, strings.LastIndex(line, `{"resourceLogs"`)):]
			require.True(t, json.Valid([]byte(line)), line)
		}
		for _, found := range eventID.FindAllStringSubmatch(line, -1) {
			ids[found[1]] = true
		}
	}
	return len(ids), torn
}

var eventID = regexp.MustCompile(`"ccaas.event.id","value":\{"stringValue":"([^"]+)"`)

// fill leaves no byte on a disk, and gives what makes room again.
func (q *faultQuickstart) fill(t testing.TB, disk fullDisk) (free func()) {
	t.Helper()
	path := q.seen(filepath.Join(disk.name, "filling"))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	for _, size := range []int{1 << 16, 1 << 12, 1} {
		for block := make([]byte, size); err == nil; {
			_, err = file.Write(block)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		err = nil
	}
	require.NoError(t, file.Close())
	return func() { require.NoError(t, os.Remove(path)) }
}

// says is an error unless the process has printed a text.
func (p *process) says(text string) error {
	if !strings.Contains(p.output.String(), text) {
		return fmt.Errorf("%q is not in the log", text)
	}
	return nil
}
