// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/configcheck"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
)

// directories checks that the directories of a component exist or can be created, and that
// this user may write there.
func directories(one *configcheck.Component, report *diagnosis.Report) {
	eachDirectory("", one.Settings, func(key, path string) {
		absolute, err := filepath.Abs(path)
		if err == nil {
			err = writable(absolute)
		}
		if err != nil {
			report.Failed("storage", "%s: %v", key, err)
			return
		}
		report.OK("storage", "%s: %s", key, absolute)
	})
}

// eachDirectory calls found for each value of a key directory, at any depth, and for the
// directory of a file that is written.
func eachDirectory(prefix string, settings map[string]any, found func(key, path string)) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		key := name
		if prefix != "" {
			key = prefix + confmap.KeyDelimiter + name
		}
		switch value := settings[name].(type) {
		case map[string]any:
			eachDirectory(key, value, found)
		case string:
			switch {
			case value == "":
			case name == "directory":
				found(key, value)
			case name == "path" && (prefix == "" || prefix == "dead_letter") && filepath.Ext(value) != "":
				found(key, filepath.Dir(value))
			}
		}
	}
}

// fixed are directories in which the kernel creates the files, and nobody else, whatever
// their rights say.
var fixed = []string{"/proc", "/sys"}

// writable returns an error unless a directory, or where it would be created, can be
// written to by this user. It creates nothing.
func writable(path string) error {
	missing := false
	for {
		info, err := os.Stat(path)
		switch {
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && filepath.Dir(path) != path:
			path, missing = filepath.Dir(path), true
			continue
		case err != nil:
			return fmt.Errorf("%w; check the path and the rights of this user", err)
		case !info.IsDir():
			return fmt.Errorf("%s is a file, not a directory; give another path", path)
		}
		err = access(path)
		if missing && slices.Contains(fixed, path) { // of the kernel, where root, too, creates nothing
			err = syscall.EPERM
		}
		if err != nil {
			if missing {
				return fmt.Errorf("%s: the directory cannot be created: %w; create it, or give this user the right to write there", path, err)
			}
			return fmt.Errorf("%s: %w; give this user the right to write there", path, err)
		}
		return nil
	}
}
