//go:build !linux

package testserver

import "syscall"

// attributes are those of any process: only Linux can end it together with that of the tests.
func attributes() *syscall.SysProcAttr { return nil }
