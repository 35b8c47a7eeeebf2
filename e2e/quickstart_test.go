// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// quickstart is `make run`, on ports of its own.
type quickstart struct {
	*process
	page prometheus // its store speaks Prometheus
}

func startQuickstart(t *testing.T, data string) quickstart {
	t.Helper()
	dashboard := fmt.Sprintf("localhost:%d", freePort(t))
	q := quickstart{
		process: &process{Cmd: exec.CommandContext(context.Background(), "sh", "../config/quickstart.sh")},
		page:    prometheus{url: "http://" + dashboard},
	}
	q.Env = append(os.Environ(), "CCAAS_DATA="+data, "CCAAS_DASHBOARD="+dashboard,
		fmt.Sprintf("CCAASSIM_PORT=%d", freePort(t)), fmt.Sprintf("CCAAS_HEALTH=localhost:%d", freePort(t)),
		fmt.Sprintf("CCAAS_ALERTMANAGER_API=localhost:%d", freePort(t)))
	q.Stdout, q.Stderr = &q.output, &q.output
	q.WaitDelay = patience                              // a process that is left behind fails the test, and does not stop it
	q.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to the process group
	require.NoError(t, q.Start())
	t.Cleanup(func() {
		q.interrupt()
		q.stop(t) // it writes into data until it has ended
		if t.Failed() {
			t.Logf("make run printed:\n%s", q.output.String())
		}
	})
	return q
}

func (q quickstart) interrupt() { _ = syscall.Kill(-q.Process.Pid, syscall.SIGINT) }

var groupedNotification = regexp.MustCompile(`webhook /sink/alerts 204 firing \d+ alerts ws_clock_skew ap-southeast-2 `)

// The quick start as a new user runs it: a page, windows to ask for, alerts that are
// delivered and printed; nothing is left behind by Ctrl-C but what was measured.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	q := startQuickstart(t, data)
	eventually(t, func() error {
		samples, err := q.page.query("ws_active_connections")
		if err == nil && len(samples) < 27 {
			err = fmt.Errorf("%d series, want those of three tenants, regions and channel types", len(samples))
		}
		return err
	})
	status, page, err := get(q.page.url + "/")
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Contains(t, page, "<!doctype html>")
	require.Contains(t, q.output.String(), q.page.url)
	eventually(t, func() error {
		if text := q.output.String(); !groupedNotification.MatchString(text) {
			return fmt.Errorf("no alert was delivered: %s", text)
		}
		return nil
	})
	eventually(t, func() error {
		samples, err := q.page.query("max(ws_alert_firing)")
		if err == nil && (len(samples) != 1 || samples[0].value != 1) {
			err = fmt.Errorf("what fires is not in the store: %v", samples)
		}
		return err
	})

	q.interrupt()
	q.stop(t)
	require.NotContains(t, q.output.String(), "\terror\t")
	stopped := time.Now()
	eventually(t, func() error {
		if _, _, err := get(q.page.url + "/healthz"); err == nil {
			return errors.New("the collector is still there")
		}
		return nil
	})

	again := startQuickstart(t, data)
	eventually(t, func() error {
		samples, err := again.page.query(fmt.Sprintf("count(ws_active_connections @ %d)", stopped.Unix()))
		if err == nil && len(samples) == 0 {
			err = errors.New("what was measured before is not there")
		}
		return err
	})
}
