// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// image is a reference to an image, in YAML, a Dockerfile or a command of docker.
var image = regexp.MustCompile(`(?m)^\s*(?:-\s*)?image:[ \t]+([^\s{]\S*)|^FROM[ \t]+(\S+)|docker (?:run|pull) .*?([\w./-]+/[\w.-]+(?::[\w.-]+)?)\s*$`)

var withVersion = regexp.MustCompile(`^[^:@]+(?::\d+/[^:@]+)?(?::[\w.-]*\d[\w.-]*|@sha256:[0-9a-f]{64})$`)

// No image that is shipped or named in the documentation is whatever is the latest today.
func TestImagesHaveAVersion(t *testing.T) {
	t.Parallel()
	found := 0
	for _, root := range []string{"../deploy", "../docs", "../README.md", "."} {
		require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".go" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			assert.NotRegexp(t, `:latest\b|tag:[ \t]*"?latest`, string(text), path)
			for _, match := range image.FindAllStringSubmatch(string(text), -1) {
				name := match[1] + match[2] + match[3]
				if name == "scratch" {
					continue
				}
				found++
				assert.Regexp(t, withVersion, name, path)
			}
			return nil
		}))
	}
	require.Greater(t, found, 8)
}
