// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(content)
}

func TestReadme_ListsEveryFlag(t *testing.T) {
	t.Parallel()
	trouble := flag.NewFlagSet("", flag.ContinueOnError)
	defaults := sim.DefaultTrouble()
	defaults.RegisterFlags(trouble)
	const head = "| flag | default | |\n|---|---|---|\n"
	settings, troubles := head, head
	newOptions().flags(io.Discard).VisitAll(func(f *flag.Flag) {
		value := f.DefValue
		if value != "" {
			value = "`" + value + "`"
		}
		row := fmt.Sprintf("| `--%s` | %s | %s |\n", f.Name, value, f.Usage)
		if trouble.Lookup(f.Name) == nil {
			settings += row
		} else {
			troubles += row
		}
	})
	for _, table := range []string{settings, troubles} {
		assert.Contains(t, readme(t), "\n\n"+table+"\n", "the table must be:\n%s", table)
	}
}

func TestReadme_CommandsAreValid(t *testing.T) {
	t.Parallel()
	commands := regexp.MustCompile(`(?m)^go run \./cmd/ccaassim(.*)$`).FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, commands)
	for _, command := range commands {
		o := newOptions()
		require.NoError(t, o.flags(io.Discard).Parse(strings.Fields(command[1])), command[0])
		require.NoError(t, o.Validate(), command[0])
	}
}

func TestReadme_TroubleBodiesAreAccepted(t *testing.T) {
	t.Parallel()
	config := sim.DefaultConfig()
	config.Silent = true
	server, err := sim.Start(config)
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	bodies := regexp.MustCompile(`(?m)^curl .* -d '(.*)'`).FindAllStringSubmatch(readme(t), -1)
	require.NotEmpty(t, bodies)
	for _, body := range bodies {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/trouble", strings.NewReader(body[1]))
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode, body[1])
	}
}

func TestRun_ServesUntilContextIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"--listen", "127.0.0.1:0"}, write, io.Discard) }()
	line := make([]byte, 100)
	n, err := read.Read(line)
	require.NoError(t, err)
	assert.Regexp(t, `^ccaassim serves http://127\.0\.0\.1:[1-9]\d*\n$`, string(line[:n]))
	cancel()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("run did not return")
	}
}

func TestRun_PrintsWebhooks(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"--listen", "127.0.0.1:0", "--sink"}, write, io.Discard) }()
	lines := bufio.NewScanner(read)
	require.True(t, lines.Scan())
	url := strings.TrimPrefix(lines.Text(), "ccaassim serves ")
	posted := make(chan error, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		response, err := client.Post(url+"/sink/alerts", "application/json", strings.NewReader("{\n  \"alert_type\": \"critical\"\n}"))
		if err == nil {
			err = response.Body.Close()
		}
		posted <- err
	}()
	require.True(t, lines.Scan())
	assert.Equal(t, `webhook /sink/alerts 204 {"alert_type":"critical"}`, lines.Text())
	require.NoError(t, <-posted)
	cancel()
	require.NoError(t, <-ended)
}

func TestRun_RejectsInvalidArguments(t *testing.T) {
	t.Parallel()
	for want, arguments := range map[string][]string{
		`argument "extra"`:  {"extra"},
		"not defined":       {"--no-such-flag"},
		"--rate -5":         {"--rate", "-5"},
		"--listen-anywhere": {"--listen", "0.0.0.0:0"},
		"parse error":       {"--duration", "soon"},
	} {
		var errors bytes.Buffer
		assert.ErrorContains(t, run(t.Context(), arguments, io.Discard, &errors), want)
	}
}
