import '@patternfly/react-core/dist/styles/base.css';
import './index.css';
import { createRoot } from 'react-dom/client';
import { Application } from './application.tsx';

// As Cockpit's own pages: dark where the user or the machine wants it.
const wanted = localStorage.getItem('shell:style') ?? 'auto';
const isDark = wanted === 'dark' || (wanted === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.classList.toggle('pf-v6-theme-dark', isDark);

createRoot(document.getElementById('app')!).render(<Application />);
