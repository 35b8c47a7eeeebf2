// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	checkTimeout = time.Minute
	maxOutput    = 16 << 10 // bytes of the error of validate that the log repeats
)

// checkInChild runs the validate command of this binary with the flags and the
// environment of this process. A child cannot take the running collector with it,
// whatever the configuration does to it.
func checkInChild(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	path := "/proc/self/exe" // the running binary, even after an upgrade has replaced its file
	if _, err := os.Stat(path); err != nil {
		if path, err = os.Executable(); err != nil {
			return fmt.Errorf("cannot be validated: %w", err)
		}
	}
	child := exec.CommandContext(ctx, path, append([]string{"validate"}, os.Args[1:]...)...) //nolint:gosec // this binary
	var output limitedBuffer
	child.Stdout, child.Stderr, child.WaitDelay = &output, &output, time.Second
	err := child.Run()
	if err == nil {
		return nil
	}
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		return fmt.Errorf("cannot be validated: %w", err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("cannot be validated: no result within %v", checkTimeout)
	}
	text := strings.TrimPrefix(strings.TrimSpace(output.String()), "Error: ")
	if text == "" {
		return fmt.Errorf("cannot be validated: %w", err)
	}
	return errors.New(text)
}

// limitedBuffer keeps the first maxOutput bytes.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), maxOutput-b.Len())])
	return len(p), nil
}

// currentLogger is the logger of the Collector that runs, or ran last.
type currentLogger struct {
	mutex sync.Mutex
	core  zapcore.Core
}

func (l *currentLogger) capture(core zapcore.Core) zapcore.Core {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.core = core
	return core
}

func (l *currentLogger) get() *zap.Logger {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.core == nil {
		return zap.NewNop()
	}
	return zap.New(l.core)
}
