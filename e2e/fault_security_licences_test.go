// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// permissive are the licences, by their SPDX names, that what we give away may have.
var permissive = []string{
	"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "Unlicense", "Zlib", "MPL-2.0", "CC0-1.0", "BSL-1.0",
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense|notice)`)

// Every module that is linked into the collector, and every package of the page's
// bundle, has a licence that we know and that asks for no more than to be named.
func TestFaultLicences(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "remove_all_sd",
		"-f", "{{with .Module}}{{if .Version}}{{.Path}} {{.Dir}}{{end}}{{end}}", ".")
	list.Dir = "../distribution"
	list.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	text, err := list.Output()
	require.NoError(t, err)
	modules := slices.Compact(slices.Sorted(strings.Lines(string(text))))
	found := map[string]int{}
	for _, module := range modules {
		path, folder, _ := strings.Cut(strings.TrimSpace(module), " ")
		licences := licencesIn(t, folder)
		assert.NotEmpty(t, licences, "%s has no licence that is known", path)
		for _, licence := range licences {
			found[licence]++
			assert.Contains(t, permissive, licence, path)
		}
	}
	require.Greater(t, len(modules), 100)

	packages := 0
	for path, licence := range bundled(t) {
		packages++
		assert.Contains(t, permissive, licence, path)
	}
	require.Positive(t, packages)
	measured(t, "%d modules, %d packages of the page: %v", len(modules), packages, found)
}

// licencesIn are the licences in the folder of a module.
func licencesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() || !licenceFile.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		require.NoError(t, err)
		for _, match := range licensecheck.Scan(text).Match {
			if !slices.Contains(names, match.ID) && !match.IsURL {
				names = append(names, match.ID)
			}
		}
	}
	return names
}

// bundled are the licences of the packages that go into the page's bundle.
func bundled(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../extension/dashboardextension/page/package-lock.json")
	require.NoError(t, err)
	var lock struct {
		Packages map[string]struct {
			License string `json:"license"`
			Dev     bool   `json:"dev"`
		} `json:"packages"`
	}
	require.NoError(t, json.Unmarshal(text, &lock))
	licences := map[string]string{}
	for path, one := range lock.Packages {
		if path != "" && !one.Dev {
			licences[path] = one.License
		}
	}
	return licences
}
