// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// skip skips a test that needs what this machine lacks. Where CI is set a skipped test is a failure, unless
// ALLOW_SKIP=1 says that the machine cannot be otherwise.
func skip(t testing.TB, format string, arguments ...any) {
	t.Helper()
	if os.Getenv("CI") != "" && os.Getenv("ALLOW_SKIP") != "1" {
		t.Fatalf(format+"; a test is not skipped in CI without ALLOW_SKIP=1", arguments...)
	}
	t.Skipf(format, arguments...)
}

// patience is how long a test waits for what must come; it never decides how
// soon something has to.
const patience = 90 * time.Second

// process is a started binary, and what it has printed.
type process struct {
	*exec.Cmd
	output output
}

// output collects what a process prints on both of its streams.
type output struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.String()
}

func built(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	require.NoError(t, err)
	require.FileExists(t, path, "make e2e builds it")
	return path
}

// start runs a binary of bin/ until the test ends. What it printed is shown when
// the test has failed.
func start(t testing.TB, name string, environment []string, arguments ...string) *process {
	t.Helper()
	command := exec.CommandContext(context.Background(), built(t, name), arguments...)
	command.Env = append(os.Environ(), environment...)
	return startCommand(t, name, command)
}

// startCommand runs a command until the test ends.
func startCommand(t testing.TB, name string, command *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: command}
	p.Stdout, p.Stderr = &p.output, &p.output
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			text := p.output.String()
			t.Logf("%s printed:\n%s", name, text[max(0, len(text)-8_000):])
		}
	})
	return p
}

// stop asks a process to end and waits until it has. It may have ended already.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if p.ProcessState != nil {
		return
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(patience, func() { _ = p.Process.Kill() })
	defer timer.Stop()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("%s: %v", p.Path, err)
	}
}

// cpu is the user and system time that a running process has used.
func (p *process) cpu(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	require.NoError(t, err)
	var user, system int64
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	_, err = fmt.Sscan(string(fields[11])+" "+string(fields[12]), &user, &system)
	require.NoError(t, err)
	return time.Duration(user+system) * (time.Second / 100) // USER_HZ is 100 on Linux
}

// memory is one of the figures of memory that Linux has of a process, in bytes:
// VmRSS, what is resident now, or VmHWM, the most that ever was.
func (p *process) memory(t testing.TB, figure string) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), figure+":")
	require.True(t, found, "%s", status)
	_, err = fmt.Sscan(rest, &bytes) // kB
	require.NoError(t, err)
	return bytes << 10
}

// files is how many file descriptors a running process has.
func (p *process) files(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Process.Pid))
	require.NoError(t, err)
	return len(entries)
}

// Ports of tests are below those that Linux (32,768) and macOS (49,152) hand out by
// themselves, so that no outgoing connection and no listener on port 0 takes one that
// a test was given; and each is given once.
const firstPort, lastPort = 20_000, 32_000

var portsGiven atomic.Int64

// freePort is a port of loopback that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	const ports = lastPort - firstPort
	own := os.Getpid() * 40 % ports // two runs of the tests begin at different ports
	for range ports {
		port := firstPort + (own+int(portsGiven.Add(1)))%ports
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
	require.FailNow(t, "no port of loopback is free")
	return 0
}

// get reads a page; a server that is not there is an error like any other.
func get(url string) (status int, body string, err error) {
	response, err := http.Get(url) //nolint:gosec // a test's own server
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// eventually waits until check has nothing to complain of.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err)
}
