"""The sections of report.html: who passes what, what failed, the contract, every case, what was not asked."""
