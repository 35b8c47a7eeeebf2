// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func validate(t *testing.T, config string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "validate", "--config", config)
	command.Env = append(os.Environ(), someSecrets...)
	out, err := command.CombinedOutput()
	assert.NoError(t, err, string(out))
}

// matching are the files of a pattern. That there are none is never right.
func matching(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files
}

// Every configuration in config/ is loaded by the collector.
func TestValidateConfigs(t *testing.T) {
	t.Parallel()
	configs := matching(t, "../config/*.yaml")
	list, err := os.ReadFile("../config/README.md")
	require.NoError(t, err)
	for _, config := range configs {
		assert.Contains(t, string(list), "("+filepath.Base(config)+")", "the list says when to choose it")
		t.Run(filepath.Base(config), func(t *testing.T) {
			t.Parallel()
			validate(t, config)
		})
	}
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// So is every YAML block in a README or a page of docs/.
func TestValidateDocumentation(t *testing.T) {
	t.Parallel()
	blocks := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "build" || name == ".git" || name == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			blocks++
			t.Run(strings.TrimPrefix(path, "../"), func(t *testing.T) {
				t.Parallel()
				config := filepath.Join(t.TempDir(), "config.yaml")
				require.NoError(t, os.WriteFile(config, []byte(block[1]), 0o600))
				validate(t, config)
			})
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, blocks)
}
