// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package purity holds the test that pure cores import no Collector package.
package purity

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/otelcol-ccaas/otelcol-ccaas/"

// impure are the internal packages that are plumbing, each with the reason. Every other
// internal package of a component is a pure core.
var impure = map[string]string{
	"exporter/elasticsearchbulkexporter/internal/bulk": "encodes pdata",
	"exporter/influxdbexporter/internal/lines":         "encodes pdata",
	"exporter/timescaledbexporter/internal/rows":       "encodes pdata",
	"extension/dashboardextension/internal/store":      "embeds Prometheus's storage, which decodes OTLP",
	"receiver/ccaaswsreceiver/internal/api":            "configures platform APIs; configuration is a Collector package",
}

// cores are pure cores that are no internal package of a component.
var cores = []string{"wsevent", "wsevent/eventblock", "internal/promalert", "internal/spelling", "internal/state/envelope"}

func isCore(pkg string) bool {
	if slices.Contains(cores, pkg) {
		return true
	}
	component, internal, ok := strings.Cut(pkg, "/internal/")
	return ok && strings.Count(component, "/") == 1 && impure[pkg] == "" &&
		!strings.HasPrefix(component, "cmd/") && !strings.HasPrefix(internal, "metadata")
}

func isCollector(pkg string) bool {
	return strings.HasPrefix(pkg, "go.opentelemetry.io/collector") || strings.HasPrefix(pkg, "github.com/open-telemetry/opentelemetry-collector-contrib")
}

func goList(ctx context.Context, t *testing.T, args ...string) []string {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, "go", append([]string{"list"}, args...)...)
	command.Dir, command.Stderr = "../..", &stderr
	out, err := command.Output()
	require.NoError(t, err, stderr.String())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// A pure core imports no Collector package, neither directly nor indirectly.
func TestPureCores_ImportNoCollectorPackage(t *testing.T) {
	t.Parallel()
	names := []string{}
	for _, pkg := range goList(t.Context(), t, "./...") {
		if short := strings.TrimPrefix(pkg, module); isCore(short) {
			names = append(names, short)
		}
	}
	require.Greater(t, len(names), 15)
	for _, core := range []string{"window", "skew", "rule", "engine", "baseline", "calendar", "conversation", "payload"} {
		assert.True(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, "/internal/"+core) }), core)
	}
	for _, name := range names {
		deps := goList(t.Context(), t, "-deps", "./"+name)
		deps = slices.DeleteFunc(deps, func(dep string) bool { return !isCollector(dep) })
		assert.Empty(t, deps, "%s must be pure: move what needs pdata into the component, or use wsevent instead of wsevent/wslog; a package that converts pdata is listed in impure, with the reason", name)
	}
}

// The shared names and types import the standard library only.
func TestWsevent_ImportsStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	for _, dep := range goList(t.Context(), t, "-deps", "./wsevent") {
		first, _, _ := strings.Cut(dep, "/")
		assert.True(t, dep == module+"wsevent" || !strings.Contains(first, "."), dep)
	}
}
